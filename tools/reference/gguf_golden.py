"""Golden blocks of GGUF tensors and the values that ggml reads from them.

    npm pack @node-llama-cpp/linux-x64 && tar xzf node-llama-cpp-linux-x64-*.tgz
    python -m venv /tmp/reference && /tmp/reference/bin/pip install numpy gguf
    /tmp/reference/bin/python tools/reference/gguf_golden.py package/bins/linux-x64

writes crates/bio-kernels/tests/golden/{type}.blocks (bytes as in a file) and {type}.f32 (values, little-endian). Per type 512 values: half
quantized by ggml from seeded normal noise, half blocks of random bytes under a finite scale, so that every bit of a block has its say.
The gguf package (numpy, the llama.cpp project's own second implementation) must read the same bits, or nothing is written.
Made with @node-llama-cpp/linux-x64 3.22.1 (libggml-base) and gguf 0.19.0.
"""

import ctypes
import sys
from pathlib import Path

import gguf
import numpy as np

GOLDEN = Path(__file__).resolve().parents[2] / "crates/bio-kernels/tests/golden"
VALUES = 512

# ggml's number, values and bytes of a block, and where its f16 scales are
TYPES = {
    "f16": (1, 1, 2, []),
    "bf16": (30, 1, 2, []),
    "q4_0": (2, 32, 18, [0]),
    "q8_0": (8, 32, 34, [0]),
    "q4_K": (12, 256, 144, [0, 2]),
    "q6_K": (14, 256, 210, [208]),
}

ggml = ctypes.CDLL(str(Path(sys.argv[1]) / "libggml-base.so"))
ggml.ggml_quantize_chunk.restype = ctypes.c_size_t
ggml.ggml_quantize_chunk.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p] + [ctypes.c_int64] * 3 + [ctypes.c_void_p]
READ = {
    "f16": "ggml_fp16_to_fp32_row",
    "bf16": "ggml_bf16_to_fp32_row",
    **{name: f"dequantize_row_{name}" for name in ("q4_0", "q8_0", "q4_K", "q6_K")},
}
rng = np.random.default_rng(20260101)


def quantized(number, size):
    values = rng.standard_normal(VALUES // 2).astype(np.float32)
    blocks = np.zeros(size, np.uint8)
    written = ggml.ggml_quantize_chunk(number, values.ctypes.data, blocks.ctypes.data, 0, 1, values.size, None)
    assert written == size
    return blocks


def random_blocks(count, bytes_per_block, scales):
    blocks = rng.integers(0, 256, (count, bytes_per_block), dtype=np.uint8)
    # a half with all five exponent bits set would be an infinity or a NaN
    for at in scales or [0]:
        high = blocks[:, at + 1]
        high[high & 0x7C == 0x7C] &= 0xBF
    return blocks.reshape(-1)


def as_read(name, number, blocks):
    values = np.zeros(VALUES, np.float32)
    read = getattr(ggml, READ[name])
    read.restype, read.argtypes = None, [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64]
    read(blocks.ctypes.data, values.ctypes.data, VALUES)
    second = gguf.quants.dequantize(blocks, gguf.GGMLQuantizationType(number)).astype(np.float32)
    assert second.tobytes() == values.tobytes(), f"{name}: gguf and ggml differ"
    return values


GOLDEN.mkdir(exist_ok=True)
for name, (number, per_block, size, scales) in TYPES.items():
    count = VALUES // 2 // per_block
    blocks = np.concatenate([quantized(number, count * size), random_blocks(count, size, scales)])
    values = as_read(name, number, blocks)
    assert np.isfinite(values).all()
    (GOLDEN / f"{name}.blocks").write_bytes(blocks.tobytes())
    (GOLDEN / f"{name}.f32").write_bytes(values.astype("<f4").tobytes())
    print(name, blocks.size, "bytes,", values.size, "values, largest", np.abs(values).max())

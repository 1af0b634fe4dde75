"""PyTorch on the CPU, as a user calls it, and by name its other ways."""

import warnings

import numpy as np
import torch
from contender import Contender
from noise import noise

warnings.filterwarnings("ignore")
VERSION = torch.__version__
DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16}


def tensor(seed, *shape, dtype="f32"):
    return torch.from_numpy(noise(seed, *shape)).to(DTYPES[dtype])


def contender(name, call, threads):
    """`call` returns the output of one run."""
    torch.set_num_threads(threads)
    kept = []

    def run():
        kept[:] = [call()]

    def prepare():
        torch.set_num_threads(threads)

    return Contender(name, VERSION, run, lambda: kept[0].detach().float().numpy(), prepare)


def matmul(m, n, k, dtype, threads):
    """out [m, n] = a [m, k] · b [k, n]."""
    a, b = tensor(1, m, k, dtype=dtype), tensor(2, k, n, dtype=dtype)
    return contender("PyTorch", lambda: torch.mm(a, b), threads)


def linear(m, n, k, layers, dtype, threads):
    """x [m, k] through each of `layers` weights [n, k]; the last layer's output."""
    x = tensor(1, m, k, dtype=dtype)
    weights = [tensor(10 + layer, n, k, dtype=dtype) for layer in range(layers)]

    def call():
        for weight in weights:
            out = torch.nn.functional.linear(x, weight)
        return out

    return contender("PyTorch", torch.inference_mode()(call), threads)


def linear_onednn(m, n, k, layers, dtype, threads):
    """The same by oneDNN with its own weight layout, packed beforehand."""
    torch.set_num_threads(threads)
    x = tensor(1, m, k, dtype=dtype)
    reorder = torch.ops.mkldnn._reorder_linear_weight
    weights = [reorder(tensor(10 + layer, n, k, dtype=dtype), m) for layer in range(layers)]

    def call():
        for weight in weights:
            out = torch.ops.mkldnn._linear_pointwise(x, weight, None, "none", [], "")
        return out

    return contender("PyTorch oneDNN", torch.inference_mode()(call), threads)


def quantize_dynamic(m, n, k, layers, threads):
    """f32 in and out, int8 weights per tensor, activations quantized on the way."""
    torch.set_num_threads(threads)
    x = tensor(1, m, k)

    def quantized(layer):
        model = torch.nn.Sequential(torch.nn.Linear(k, n, bias=False))
        model[0].weight.data = tensor(10 + layer, n, k)
        return torch.ao.quantization.quantize_dynamic(model, {torch.nn.Linear}, dtype=torch.qint8)

    models = [quantized(layer) for layer in range(layers)]

    def call():
        for model in models:
            out = model(x)
        return out

    return contender("PyTorch quantize_dynamic", torch.inference_mode()(call), threads)


def int_mm(m, n, k, layers, threads):
    """Integers only: no activation is quantized, no output scaled. Compared after scaling, outside the time."""
    x, scale = quantized_rows(noise(1, m, k))
    weights = [quantized_rows(noise(10 + layer, n, k)) for layer in range(layers)]
    x = torch.from_numpy(x)
    torch_weights = [torch.from_numpy(weight).t() for weight, _ in weights]

    def call():
        for weight in torch_weights:
            out = torch._int_mm(x, weight)
        return out

    made = contender("PyTorch _int_mm", torch.inference_mode()(call), threads)
    integers = made.output
    made.output = lambda: integers() * scale * weights[-1][1].T
    return made


def quantized_rows(rows):
    scales = np.abs(rows).max(axis=1, keepdims=True) / 127
    return np.round(rows / scales).astype(np.int8), scales


CASES = {
    "matmul": matmul,
    "linear": linear,
    "linear_onednn": linear_onednn,
    "quantize_dynamic": quantize_dynamic,
    "int_mm": int_mm,
}

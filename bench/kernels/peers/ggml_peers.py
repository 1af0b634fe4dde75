"""ggml, through the C interface of the libraries that llama.cpp ships prebuilt; its CPU variant is the one that ggml itself chooses.

Weights go to the CPU_REPACK buffer where ggml supports the operation from there (as llama.cpp places them), else to the plain CPU buffer;
which one it was stands in the version. A thread pool is kept across calls, as llama.cpp keeps one, and paused while others are measured.
"""

import ctypes
import os
import re
from ctypes import POINTER, Structure, byref, c_bool, c_char_p, c_float, c_int, c_int64, c_size_t, c_uint32, c_void_p

import numpy as np
from contender import Contender
from noise import noise

FOLDER = os.environ["BIO_BENCH_GGML"]
TYPES = {"f32": 0, "f16": 1, "q4_0": 2, "q8_0": 8, "i32": 26, "bf16": 30}
CPU_DEVICE = 0


class InitParams(Structure):
    _fields_ = [("mem_size", c_size_t), ("mem_buffer", c_void_p), ("no_alloc", c_bool)]


class Tensor(Structure):
    """The head of ggml_tensor."""

    _fields_ = [("type", c_int), ("buffer", c_void_p), ("ne", c_int64 * 4), ("nb", c_size_t * 4)]


class ThreadpoolParams(Structure):
    _fields_ = [
        ("cpumask", c_bool * 512),
        ("n_threads", c_int),
        ("prio", c_int),
        ("poll", c_uint32),
        ("strict_cpu", c_bool),
        ("paused", c_bool),
    ]


def load():
    name = next(f for f in sorted(os.listdir(FOLDER)) if re.fullmatch(r"libggml(\.v[\d.]+)?\.so(\.\d+)*", f))
    base = ctypes.CDLL(os.path.join(FOLDER, "libggml-base.so"), mode=ctypes.RTLD_GLOBAL)
    registry = ctypes.CDLL(os.path.join(FOLDER, name), mode=ctypes.RTLD_GLOBAL)
    registry.ggml_backend_load_all_from_path(FOLDER.encode())
    with open("/proc/self/maps") as maps:
        variant = next(iter(re.findall(r"\S*libggml-cpu[^/\s]*\.so", maps.read())), None)
    if variant is None:
        raise RuntimeError("ggml found no CPU backend that fits")
    return base, registry, ctypes.CDLL(variant), os.path.basename(variant)


base, registry, cpu, variant_file = load()
POINTERS = (
    "ggml_init ggml_new_tensor_1d ggml_new_tensor_2d ggml_new_tensor_3d ggml_new_tensor_4d ggml_mul_mat ggml_mul_mat_id "
    "ggml_flash_attn_ext ggml_new_graph_custom ggml_backend_alloc_ctx_tensors_from_buft ggml_backend_alloc_ctx_tensors "
    "ggml_backend_dev_init ggml_backend_dev_backend_reg ggml_backend_reg_get_proc_address ggml_backend_dev_buffer_type "
    "ggml_backend_buft_alloc_buffer ggml_backend_buffer_get_type"
).split()
for function in POINTERS:
    getattr(base, function).restype = c_void_p
base.ggml_backend_buft_name.restype = c_char_p
base.ggml_version.restype = c_char_p
base.ggml_nbytes.restype = c_size_t
base.ggml_row_size.restype = c_size_t
base.ggml_quantize_chunk.restype = c_size_t
base.ggml_backend_dev_supports_op.restype = c_bool
base.ggml_threadpool_params_default.restype = ThreadpoolParams
registry.ggml_backend_dev_by_type.restype = c_void_p
cpu.ggml_threadpool_new.restype = c_void_p

device = c_void_p(registry.ggml_backend_dev_by_type(CPU_DEVICE))
registration = c_void_p(base.ggml_backend_dev_backend_reg(device))


def extra_buffer_types():
    """The CPU's further buffer types by name; CPU_REPACK is the one that lays weights out for its fast kernels."""
    address = base.ggml_backend_reg_get_proc_address(registration, b"ggml_backend_dev_get_extra_bufts")
    found = ctypes.CFUNCTYPE(POINTER(c_void_p), c_void_p)(address)(device)
    types = {}
    for index in range(16):
        if not found[index]:
            break
        types[base.ggml_backend_buft_name(c_void_p(found[index])).decode()] = c_void_p(found[index])
    return types


REPACK = extra_buffer_types().get("CPU_REPACK")
PLAIN = c_void_p(base.ggml_backend_dev_buffer_type(device))


class Graph:
    """Tensors in three contexts (weights, inputs, operations), one graph over them, a backend with its own threads."""

    def __init__(self, threads):
        self.backend = c_void_p(base.ggml_backend_dev_init(device, None))
        cpu.ggml_backend_cpu_set_n_threads(self.backend, c_int(threads))
        parameters = base.ggml_threadpool_params_default(c_int(threads))
        self.pool = c_void_p(cpu.ggml_threadpool_new(byref(parameters)))
        cpu.ggml_backend_cpu_set_threadpool(self.backend, self.pool)
        self.weights, self.inputs, self.operations = (self.context() for _ in range(3))
        self.buffers = []

    @staticmethod
    def context():
        base.ggml_init.argtypes = [InitParams]
        return c_void_p(base.ggml_init(InitParams(16 << 20, None, True)))

    def tensor(self, context, type_name, *shape):
        """`shape` in ggml's order: the contiguous dimension first."""
        make = getattr(base, f"ggml_new_tensor_{len(shape)}d")
        return c_void_p(make(context, c_int(TYPES[type_name]), *(c_int64(size) for size in shape)))

    def place_weights(self, weight, operation):
        """Allocates the weights in CPU_REPACK if ggml computes `operation` from there; gives the buffer's name."""
        head = ctypes.cast(weight, POINTER(Tensor)).contents
        buffer_type = PLAIN
        if REPACK is not None:
            trial = c_void_p(base.ggml_backend_buft_alloc_buffer(REPACK, c_size_t(0)))
            head.buffer = trial.value
            if base.ggml_backend_dev_supports_op(device, operation):
                buffer_type = REPACK
            head.buffer = None
            base.ggml_backend_buffer_free(trial)
        self.allocate(self.weights, buffer_type)
        return base.ggml_backend_buft_name(c_void_p(base.ggml_backend_buffer_get_type(c_void_p(head.buffer)))).decode()

    def allocate(self, context, buffer_type):
        self.buffers.append(c_void_p(base.ggml_backend_alloc_ctx_tensors_from_buft(context, buffer_type)))

    def build(self, results):
        """Allocates inputs and results, and makes the graph that computes all results."""
        self.allocate(self.inputs, PLAIN)
        self.allocate(self.operations, PLAIN)
        self.graph_context = self.context()
        size = 2 * len(results) + 16
        self.graph = c_void_p(base.ggml_new_graph_custom(self.graph_context, c_size_t(size), c_bool(False)))
        for result in results:
            base.ggml_build_forward_expand(self.graph, result)

    def compute(self):
        if base.ggml_backend_graph_compute(self.backend, self.graph) != 0:
            raise RuntimeError("ggml could not compute the graph")

    def contender(self, name, where, output):
        version = f"{base.ggml_version().decode()} {variant_file}, weights in {where}"
        return Contender(
            name, version, self.compute, output, rest=lambda: cpu.ggml_threadpool_pause(self.pool), close=self.close
        )

    def close(self):
        base.ggml_backend_free(self.backend)
        cpu.ggml_threadpool_free(self.pool)
        for buffer in self.buffers:
            base.ggml_backend_buffer_free(buffer)
        for context in (self.weights, self.inputs, self.operations, self.graph_context):
            base.ggml_free(context)


def write(tensor, array):
    array = np.ascontiguousarray(array)
    base.ggml_backend_tensor_set(tensor, array.ctypes.data_as(c_void_p), c_size_t(0), c_size_t(array.nbytes))


def read(tensor, *shape):
    out = np.empty(shape, np.float32)
    base.ggml_backend_tensor_get(tensor, out.ctypes.data_as(c_void_p), c_size_t(0), c_size_t(out.nbytes))
    return out


def encoded(values, type_name):
    """Rows [rows, k] as ggml stores that type."""
    rows, k = values.shape
    if type_name == "f32":
        return values
    size = base.ggml_row_size(c_int(TYPES[type_name]), c_int64(k))
    out = np.empty(rows * size, np.uint8)
    source = values.ctypes.data_as(POINTER(c_float))
    target = out.ctypes.data_as(c_void_p)
    base.ggml_quantize_chunk(c_int(TYPES[type_name]), source, target, c_int64(0), c_int64(rows), c_int64(k), None)
    return out


def linear(m, n, k, layers, type, threads):
    """x [m, k] through each of `layers` weights [n, k], all in one graph, as a model's layers are."""
    graph = Graph(threads)
    weights = [graph.tensor(graph.weights, type, k, n) for _ in range(layers)]
    x = graph.tensor(graph.inputs, "f32", k, m)
    results = [c_void_p(base.ggml_mul_mat(graph.operations, weight, x)) for weight in weights]
    where = graph.place_weights(weights[0], results[0])
    graph.build(results)
    for layer, weight in enumerate(weights):
        write(weight, encoded(noise(10 + layer, n, k), type))
    write(x, noise(1, m, k))
    return graph.contender(f"ggml {type}", where, lambda: read(results[-1], m, n))


def experts(tokens, n, k, experts, routings, type, threads):
    """MUL_MAT_ID: each token's row of x through its experts [n, k]; one operation for each of `routings` [tokens, topK]."""
    graph = Graph(threads)
    weight = graph.tensor(graph.weights, type, k, n, experts)
    x = graph.tensor(graph.inputs, "f32", k, 1, tokens)
    top_k = len(routings[0][0])
    ids = [graph.tensor(graph.inputs, "i32", top_k, tokens) for _ in routings]
    results = [c_void_p(base.ggml_mul_mat_id(graph.operations, weight, x, chosen)) for chosen in ids]
    where = graph.place_weights(weight, results[0])
    graph.build(results)
    write(weight, encoded(noise(2, experts * n, k), type))
    write(x, noise(1, tokens, k))
    for chosen, routing in zip(ids, routings):
        write(chosen, np.array(routing, np.int32))
    return graph.contender(f"ggml {type} MUL_MAT_ID", where, lambda: read(results[-1], tokens, top_k, n))


def attention(context, heads, kv_heads, head_dim, layers, type, threads):
    """Flash attention of one query token over `layers` distinct caches, contiguous."""
    graph = Graph(threads)
    q = graph.tensor(graph.inputs, "f32", head_dim, 1, heads, 1)
    caches = [[graph.tensor(graph.inputs, type, head_dim, context, kv_heads, 1) for _ in range(2)] for _ in range(layers)]
    scale, none = c_float(head_dim**-0.5), c_float(0.0)
    results = [c_void_p(base.ggml_flash_attn_ext(graph.operations, q, k, v, None, scale, none, none)) for k, v in caches]
    graph.build(results)
    write(q, noise(1, heads, head_dim))
    for layer, pair in enumerate(caches):
        for tensor, seed in zip(pair, (10 + layer, 5010 + layer)):
            rows = np.ascontiguousarray(noise(seed, context, kv_heads, head_dim).transpose(1, 0, 2))
            flat = rows.reshape(-1, head_dim)
            write(tensor, flat.astype(np.float16) if type == "f16" else encoded(flat, type))
    return graph.contender(f"ggml flash attention {type}", "CPU", lambda: read(results[-1], heads, head_dim))


CASES = {"linear": linear, "experts": experts, "attention": attention}

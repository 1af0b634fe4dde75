"""onnxruntime on models made in memory: MatMulNBits with int8 activations (accuracy_level 4)."""

import numpy as np
import onnxruntime
from contender import Contender
from noise import noise
from onnx import TensorProto, helper, numpy_helper

VERSION = onnxruntime.__version__


def session(model, threads):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def model_of(nodes, initializers, inputs, outputs):
    graph = helper.make_graph(nodes, "bench", inputs, outputs, initializers)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def matmul_nbits(m, n, k, layers, bits, group, threads):
    """x [m, k] through each of `layers` weights [n, k]; one model per layer, for a protobuf ends at 2 GiB."""
    x = noise(1, m, k)

    def one_layer(layer):
        values, scales = quantize(noise(10 + layer, n, k), bits, group)
        node = helper.make_node(
            "MatMulNBits",
            ["x", "values", "scales"],
            ["out"],
            domain="com.microsoft",
            K=k,
            N=n,
            bits=bits,
            block_size=group,
            accuracy_level=4,
        )
        initializers = [numpy_helper.from_array(values, "values"), numpy_helper.from_array(scales, "scales")]
        inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [m, k])]
        outputs = [helper.make_tensor_value_info("out", TensorProto.FLOAT, [m, n])]
        made = session(model_of([node], initializers, inputs, outputs), threads)
        out = np.empty((m, n), np.float32)
        binding = made.io_binding()
        binding.bind_cpu_input("x", x)
        binding.bind_output("out", "cpu", 0, np.float32, [m, n], out.ctypes.data)
        return made, binding, out

    sessions = [one_layer(layer) for layer in range(layers)]

    def run():
        for made, binding, _ in sessions:
            made.run_with_iobinding(binding)

    return Contender(f"onnxruntime MatMulNBits int{bits}", VERSION, run, lambda: sessions[-1][2])


def quantize(weights, bits, group):
    """Symmetric groups along k: values [n, groups, group · bits / 8] with the zero at 2^(bits − 1), scales [n, groups]."""
    n, k = weights.shape
    groups = weights.reshape(n, k // group, group)
    zero = 1 << (bits - 1)
    scales = np.abs(groups).max(axis=2) / (zero - 0.5)
    values = np.clip(np.round(groups / scales[..., None]) + zero, 0, 2 * zero - 1).astype(np.uint8)
    if bits == 4:
        values = values[..., 0::2] | (values[..., 1::2] << 4)
    return values, scales.astype(np.float32)


CASES = {"matmul_nbits": matmul_nbits}

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
    # Its threads go on spinning for the next node, as they do by default, and stop when the call returns: nobody else pays for them.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def model_of(nodes, initializers, inputs, outputs):
    graph = helper.make_graph(nodes, "bench", inputs, outputs, initializers)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def matmul_nbits(m, n, k, layers, bits, group, threads):
    """x [m, k] through each of `layers` weights [n, k], all in one graph: one pool of threads, as a model has."""
    nodes, initializers, outputs = [], [], []
    for layer in range(layers):
        names = [f"values{layer}", f"scales{layer}"]
        nodes.append(
            helper.make_node(
                "MatMulNBits",
                ["x", *names],
                [f"out{layer}"],
                domain="com.microsoft",
                K=k,
                N=n,
                bits=bits,
                block_size=group,
                accuracy_level=4,
            )
        )
        quantized = quantize(noise(10 + layer, n, k), bits, group)
        initializers += [numpy_helper.from_array(array, name) for array, name in zip(quantized, names)]
        outputs.append(helper.make_tensor_value_info(f"out{layer}", TensorProto.FLOAT, [m, n]))
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [m, k])]
    made = session(model_of(nodes, initializers, inputs, outputs), threads)
    del initializers
    x, out = noise(1, m, k), np.empty((layers, m, n), np.float32)
    binding = made.io_binding()
    binding.bind_cpu_input("x", x)
    for layer in range(layers):
        binding.bind_output(f"out{layer}", "cpu", 0, np.float32, [m, n], out[layer].ctypes.data)
    name = f"onnxruntime MatMulNBits int{bits}"
    return Contender(name, VERSION, lambda: made.run_with_iobinding(binding), lambda: out[-1])


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

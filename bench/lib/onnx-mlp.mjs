// A multilayer perceptron as an ONNX file: field numbers as in onnx.proto3, IR version 8, opset 17.
import { bytes, integer, message } from './protobuf.mjs'

const float = 1

/**
 * Linear layers with a ReLU between each two: `x` [batch, in] → `logits` [batch, out], the batch of any size.
 *
 * `layers` are `{ weight, bias, inputs, outputs }`: Float32Arrays, the weight [outputs, inputs], row-major, as `Linear` and PyTorch keep it.
 */
export function onnxMlp(layers) {
  const last = layers.length - 1
  const nodes = layers.flatMap((_, index) => {
    const input = index === 0 ? 'x' : `hidden${index}`
    const output = index === last ? 'logits' : `sum${index}`
    const gemm = node('Gemm', [input, `weight${index}`, `bias${index}`], output, attribute('transB', 1))
    return index === last ? [gemm] : [gemm, node('Relu', [output], `hidden${index + 1}`)]
  })
  const initializers = layers.flatMap(({ weight, bias, inputs, outputs }, index) => [
    tensor(`weight${index}`, [outputs, inputs], weight),
    tensor(`bias${index}`, [outputs], bias),
  ])
  const graph = message(
    nodes.map((value) => bytes(1, value)),
    bytes(2, 'mlp'),
    initializers.map((value) => bytes(5, value)),
    bytes(11, valueInfo('x', layers[0].inputs)),
    bytes(12, valueInfo('logits', layers[last].outputs)),
  )
  const opset = message(bytes(1, ''), integer(2, 17))
  return message(integer(1, 8), bytes(2, 'bio'), bytes(7, graph), bytes(8, opset))
}

function node(operator, inputs, output, ...attributes) {
  return message(
    inputs.map((name) => bytes(1, name)),
    bytes(2, output),
    bytes(4, operator),
    attributes.map((value) => bytes(5, value)),
  )
}

function attribute(name, value) {
  const int = 2
  return message(bytes(1, name), integer(3, value), integer(20, int))
}

function tensor(name, shape, { buffer, byteOffset, byteLength }) {
  return message(
    shape.map((size) => integer(1, size)),
    integer(2, float),
    bytes(8, name),
    bytes(9, new Uint8Array(buffer, byteOffset, byteLength)),
  )
}

function valueInfo(name, features) {
  const shape = message(bytes(1, bytes(2, 'batch')), bytes(1, integer(1, features)))
  return message(bytes(1, name), bytes(2, bytes(1, message(integer(1, float), bytes(2, shape)))))
}

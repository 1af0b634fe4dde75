// The model that every system serves: a 24 MiB perceptron, whose weights are read once per batch, however many rows it has.
import { onnxMlp } from '../lib/onnx-mlp.mjs'
import { random } from '../lib/random.mjs'

const sizes = [1024, 2048, 2048, 10]

export const features = sizes[0]
export const classes = sizes.at(-1)

/** The ONNX file, the same bytes each time: weights uniform in ±√(6 / inputs), which keeps the activations' variance. */
export function model() {
  const next = random(1)
  return onnxMlp(
    sizes.slice(1).map((outputs, index) => {
      const inputs = sizes[index]
      const bound = Math.sqrt(6 / inputs)
      const weight = Float32Array.from({ length: outputs * inputs }, () => (2 * next() - 1) * bound)
      return { weight, bias: new Float32Array(outputs), inputs, outputs }
    }),
  )
}

/** `count` different inputs, uniform in [0, 1). */
export function makeInputs(count) {
  const next = random(2)
  return Array.from({ length: count }, () => Float32Array.from({ length: features }, next))
}

/** Opens the model in onnxruntime, one thread for a run. */
export async function openModel(ort) {
  const session = await ort.InferenceSession.create(model(), { intraOpNumThreads: 1, interOpNumThreads: 1 })
  return {
    /** `rows` [batch · features] → logits [batch · classes]. onnxruntime-node computes on the thread that calls it. */
    async run(rows) {
      const x = new ort.Tensor('float32', rows, [rows.length / features, features])
      const { logits } = await session.run({ x })
      return logits.data
    },
    close: () => session.release(),
  }
}

/** Single inputs to one batch. */
export function joinRows(batch) {
  const rows = new Float32Array(batch.length * features) // [batch · features]
  batch.forEach((input, index) => rows.set(input, index * features))
  return rows
}

/** One batch of logits to single answers. */
export function splitRows(logits) {
  return Array.from({ length: logits.length / classes }, (_, index) =>
    logits.slice(index * classes, (index + 1) * classes),
  )
}

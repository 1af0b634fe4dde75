import { fileURLToPath } from 'node:url'
import { InferenceSession, Tensor } from 'onnxruntime-node'

export const pixelCount = 64
const classCount = 10

/** The classifier of `digits.onnx`: 8×8 pixels from 0 to 1 → a digit. It counts its runs. */
export class DigitsModel {
  readonly #session: InferenceSession
  runs = 0

  private constructor(session: InferenceSession) {
    this.#session = session
  }

  static async open(): Promise<DigitsModel> {
    const file = fileURLToPath(new URL('../digits.onnx', import.meta.url))
    return new DigitsModel(await InferenceSession.create(file, { intraOpNumThreads: 1 }))
  }

  /** One run of the session, whatever the number of pictures. */
  readonly classify = async (pictures: readonly (readonly number[])[]): Promise<number[]> => {
    const x = new Tensor('float32', Float32Array.from(pictures.flat()), [pictures.length, pixelCount])
    const { logits } = await this.#session.run({ x })
    const scores = logits!.data as Float32Array // [pictures · classes]
    const digits = pictures.map((_, index) =>
      largest(scores.subarray(index * classCount, (index + 1) * classCount)),
    )
    this.runs += 1
    return digits
  }
}

function largest(scores: Float32Array): number {
  return scores.indexOf(Math.max(...scores))
}

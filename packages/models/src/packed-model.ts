import { quantize, type WeightFormat } from '@bio/precision'
import { loadGguf } from './gguf/load.js'
import { loadHuggingFace, type LanguageModel } from './hugging-face/folder.js'

/** A decoder for inference, its layers packed. `dispose` frees them now instead of at garbage collection. */
export interface PackedModel extends LanguageModel, Disposable {
  readonly parameters: number
  /** Bytes of the packed layers and of what stays in f32. */
  readonly weightBytes: number
  dispose(): void
}

/** Is this the path of a GGUF file, and not of a folder? */
export const isGguf = (path: string): boolean => path.endsWith('.gguf')

/**
 * Loads a Hugging Face folder or a GGUF file for inference. `weights`: how the layers are held; by default int8, and q4_0 of a GGUF file as
 * the int4 that it is. Throws what `loadHuggingFace`, `loadGguf` and `quantize` throw.
 */
export async function loadPacked(
  path: string,
  { weights }: { weights?: WeightFormat | undefined } = {},
): Promise<PackedModel> {
  if (isGguf(path)) return loadGguf(path, { weights })
  const { decoder, tokenizer } = await loadHuggingFace(path)
  const { model, report, dispose } = quantize(decoder, { weights: weights ?? 'int8' })
  const kept = model.parameters().reduce((bytes, parameter) => bytes + parameter.data.byteLength, 0)
  const parameters = decoder.parameters().reduce((sum, { size }) => sum + size, 0)
  return {
    decoder: model,
    tokenizer,
    parameters,
    weightBytes: report.bytes + kept,
    dispose,
    [Symbol.dispose]: dispose,
  }
}

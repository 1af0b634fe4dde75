import type { WeightError } from './weight-error.js'
import type { WeightFormat } from './weight-format.js'

/** One packed layer: what it weighs and what packing lost. */
export interface LayerReport extends WeightError {
  /** Where the layer is in the model, e.g. `layers.0.attention.query`. */
  readonly path: string
  /** The format it has: int8 instead of int4 where its columns are no whole groups. */
  readonly weights: WeightFormat
  /** Bytes of the packed weights, scales included. Biases stay in f32 and are not counted, here and below. */
  readonly bytes: number
  /** Bytes of the weights in f32. */
  readonly originalBytes: number
}

/** What `quantize` did, over the layers that it packed; what it left alone is not counted. */
export interface QuantizationReport {
  readonly layers: readonly LayerReport[]
  readonly bytes: number
  readonly originalBytes: number
}

export function sumUp(layers: readonly LayerReport[]): QuantizationReport {
  return {
    layers,
    bytes: layers.reduce((sum, { bytes }) => sum + bytes, 0),
    originalBytes: layers.reduce((sum, { originalBytes }) => sum + originalBytes, 0),
  }
}

import { BioError } from '@bio/errors'

/**
 * A `check` for `Batcher` that refuses outputs with a NaN in them: numbers, arrays, typed arrays and objects of those, to any depth.
 *
 * @throws ERR_BIO_NAN
 *
 * @example
 * ```ts
 * import { Batcher, refuseNaN } from '@bio/batching'
 *
 * const run = async (inputs: readonly number[]) => inputs.map((input) => Float32Array.of(Math.sqrt(input)))
 * const batcher = new Batcher({ run, maxBatchSize: 32, check: refuseNaN })
 * await batcher.submit(-1).catch((error) => console.log(error.code)) // => ERR_BIO_NAN
 * ```
 */
export function refuseNaN(output: unknown): void {
  if (!hasNaN(output, new Set())) return
  throw new BioError('ERR_BIO_NAN', {
    operation: 'Batcher.run',
    expected: 'an output without NaN',
    received: 'NaN',
  })
}

function hasNaN(value: unknown, seen: Set<object>): boolean {
  if (typeof value === 'number') return Number.isNaN(value)
  if (typeof value !== 'object' || value === null || seen.has(value)) return false
  seen.add(value)
  if (value instanceof Float32Array || value instanceof Float64Array) return value.includes(Number.NaN)
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return false
  const parts = Array.isArray(value) ? value : Object.values(value)
  return parts.some((part) => hasNaN(part, seen))
}

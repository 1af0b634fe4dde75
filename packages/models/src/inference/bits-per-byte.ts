import { BioError } from '@bio/errors'
import { crossEntropy, fromData, noGrad, scope } from '@bio/tensor'
import type { Decoder } from '../decoder/decoder.js'

/**
 * How many bits a byte-level decoder needs per byte of a text: mean −log2 p(next byte) over consecutive windows of `length` bytes,
 * each seen without the ones before it.
 */
export function bitsPerByte(
  decoder: Decoder,
  text: Uint8Array,
  { length, batch = 8 }: { length: number; batch?: number },
): number {
  const windows = Math.floor((text.length - 1) / length)
  if (!(windows >= 1)) {
    throw new BioError('ERR_BIO_SHAPE', {
      operation: 'bitsPerByte',
      expected: `a text of at least ${length + 1} bytes`,
      received: `${text.length} bytes`,
    })
  }
  let nats = 0
  for (let first = 0; first < windows; first += batch) {
    const rows = Math.min(batch, windows - first)
    const from = first * length
    const x = Int32Array.from(text.subarray(from, from + rows * length))
    const y = Int32Array.from(text.subarray(from + 1, from + 1 + rows * length))
    nats += noGrad(() =>
      scope(() =>
        crossEntropy(
          decoder.forward(fromData(x, [x.length]), { batch: rows }).logits,
          fromData(y, [y.length]),
          {
            reduction: 'sum',
          },
        ).item(),
      ),
    )
  }
  return nats / Math.LN2 / (windows * length)
}

/** The entropy of the bytes taken one by one: what a model that knows only their frequencies reaches. */
export function unigramBitsPerByte(text: Uint8Array): number {
  const counts = new Float64Array(256)
  for (const byte of text) counts[byte]! += 1
  return counts.reduce(
    (bits, count) => (count === 0 ? bits : bits - (count / text.length) * Math.log2(count / text.length)),
    0,
  )
}

import { bitsPerByte, type Decoder } from '@bio/models'
import { quantize } from '@bio/precision'
import { noGrad } from '@bio/tensor'
import { Progress } from '../terminal/progress.js'
import { bytes, digits } from '../terminal/format.js'
import type { TourReport } from './report.js'
import type { TourSettings } from './settings.js'
import type { TourText } from './text.js'

const formats = ['f32', 'int8', 'int4'] as const

/** The same decoder in three weight formats: size of the quantized weights, bits per byte of held-out text, speed of reading it. */
export async function quantizeStep(
  decoder: Decoder,
  text: TourText,
  settings: TourSettings,
  { signal }: { signal: AbortSignal },
): Promise<TourReport['quantize']> {
  const progress = new Progress('quantizing', { total: formats.length })
  const test = text.test.subarray(0, settings.testBytes)
  const rows: TourReport['quantize'][number][] = []
  for (const weights of formats) {
    signal.throwIfAborted()
    using quantized = quantize(decoder, { weights })
    const { model, report } = quantized
    const start = performance.now()
    const bits = noGrad(() => bitsPerByte(model, test, { length: settings.train.length }))
    const tokensPerSecond = (test.length * 1000) / (performance.now() - start)
    rows.push({ weights, bytes: report.bytes, bitsPerByte: bits, tokensPerSecond })
    progress.update(rows.length, `${weights}: ${bytes(report.bytes)}, ${bits.toFixed(3)} bits/byte`)
    await new Promise((turn) => setImmediate(turn))
  }
  const [full, , small] = rows
  progress.end(
    `${digits(full!.bytes / small!.bytes)} times smaller in int4, ${(100 * (small!.bitsPerByte / full!.bitsPerByte - 1)).toFixed(2)} % more bits`,
  )
  return rows
}

import { bytes, digits } from '../terminal/format.js'
import { table } from '../terminal/table.js'
import type { TourReport } from '../tour/report.js'

/** Before (one request after the other, f32, no cache) and after (batched, cached, int4), row by row. */
export function summaryRows({ serve, energy, cost, quantize }: TourReport): string[][] {
  const { baseline, optimized } = serve
  const times = (before: number, after: number): string =>
    `${digits(before > after ? before / after : after / before)} ×`
  const joules = (value: number | null): string => (value === null ? 'unknown' : `${digits(value)} J`)
  const weights = (name: string): number => quantize.find(({ weights: format }) => format === name)!.bytes
  const [before, after] = [energy.baseline.joulesPerToken, energy.joulesPerToken]
  return [
    ['', 'before', 'after', ''],
    [
      'tokens per second',
      digits(baseline.tokensPerSecond),
      digits(optimized.tokensPerSecond),
      times(baseline.tokensPerSecond, optimized.tokensPerSecond),
    ],
    [
      'first token, median',
      `${digits(baseline.ttftMsP50)} ms`,
      `${digits(optimized.ttftMsP50)} ms`,
      times(baseline.ttftMsP50, optimized.ttftMsP50),
    ],
    [
      'first token, p95',
      `${digits(baseline.ttftMsP95)} ms`,
      `${digits(optimized.ttftMsP95)} ms`,
      times(baseline.ttftMsP95, optimized.ttftMsP95),
    ],
    [
      'prompt tokens computed',
      String(serve.promptTokens),
      String(serve.prefilledTokens),
      times(serve.promptTokens, serve.prefilledTokens),
    ],
    [
      'weights of the layers',
      bytes(weights('f32')),
      bytes(weights('int4')),
      times(weights('f32'), weights('int4')),
    ],
    [
      `energy per token, ${energy.method}`,
      joules(before),
      joules(after),
      before === null || after === null ? '' : times(before, after),
    ],
    [
      'cost per million tokens',
      `$${digits(cost.dollarsPerMillionTokens.baseline)}`,
      `$${digits(cost.dollarsPerMillionTokens.optimized)}`,
      times(cost.dollarsPerMillionTokens.baseline, cost.dollarsPerMillionTokens.optimized),
    ],
  ]
}

export function summaryTable(report: TourReport): string {
  const { serve, energy, cost } = report
  const band =
    energy.low === null || energy.high === null
      ? 'unknown'
      : `${digits(energy.low)} to ${digits(energy.high)} J per token after`
  const { dollarsPerHour, utilisation } = cost.assumptions
  return [
    table(summaryRows(report)),
    '',
    `  before: one request after the other, f32, no cache. After: batched, shared prefix, int4. ${serve.clients} clients at once in both.`,
    `  batched f32 gave ${serve.identicalTokens ? 'every client exactly the tokens of' : 'OTHER TOKENS than'} one request at a time.`,
    `  energy is ${energy.method} (${energy.source}): ${band}.`,
    ...energy.reasons.map((reason) => `    ${reason}`),
    `  cost at $${digits(dollarsPerHour)} an hour for this machine, ${100 * utilisation} % busy.`,
  ].join('\n')
}

import type { Reading } from '../reading/reading.js'

/** A reading under a name: of a step, a phase, a request. */
export interface LabelledReading {
  readonly label: string
  readonly energy: Reading
}

const columns: Readonly<Record<string, (row: LabelledReading) => string | number | null>> = {
  label: ({ label }) => label,
  method: ({ energy }) => energy.method,
  joules: ({ energy }) => energy.joules,
  low_joules: ({ energy }) => energy.low,
  high_joules: ({ energy }) => energy.high,
  above_idle_joules: ({ energy }) => energy.aboveIdle?.joules ?? null,
  above_idle_low_joules: ({ energy }) => energy.aboveIdle?.low ?? null,
  above_idle_high_joules: ({ energy }) => energy.aboveIdle?.high ?? null,
  above_idle_method: ({ energy }) => energy.aboveIdle?.method ?? null,
  source: ({ energy }) => energy.source,
  domains: ({ energy }) => energy.domains.join(' '),
  boundary: ({ energy }) => energy.boundary,
  seconds: ({ energy }) => energy.seconds,
  coverage: ({ energy }) => energy.coverage,
  samples: ({ energy }) => energy.samples,
  wraps: ({ energy }) => energy.wraps,
  reasons: ({ energy }) => energy.reasons.join('; '),
}

/**
 * Readings as CSV (RFC 4180) with a head: method and bounds beside the joules, and an empty cell, never 0, for what nobody knows.
 *
 * @example
 * ```ts
 * import { createReading, readingsToCsv } from '@bio/energy'
 *
 * const energy = createReading({ joules: 2, low: 1, high: 4, method: 'estimated', source: 'cpu-time', seconds: 1 })
 * const [head, row] = readingsToCsv([{ label: 'step 1', energy }]).split('\r\n')
 * console.log(head?.slice(0, 42), row?.slice(0, 22)) // => label,method,joules,low_joules,high_joules step 1,estimated,2,1,4
 * ```
 */
export function readingsToCsv(rows: Iterable<LabelledReading>): string {
  const lines = [Object.keys(columns).join(',')]
  for (const row of rows) {
    lines.push(
      Object.values(columns)
        .map((cell) => quote(cell(row)))
        .join(','),
    )
  }
  return `${lines.join('\r\n')}\r\n`
}

function quote(value: string | number | null): string {
  if (value === null) return ''
  const text = String(value)
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

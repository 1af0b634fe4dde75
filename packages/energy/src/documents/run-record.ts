import { createHash } from 'node:crypto'
import type { CarbonIntensity } from '../carbon/carbon-intensity.js'
import { describeError, invalid } from '../check.js'
import type { Reading } from '../reading/reading.js'
import { canonicalJson, toPlain } from './canonical-json.js'
import { checkRun } from './check-run.js'

/** What a phase of a run was for; evaluation, data preparation and the like are `other`. */
export type Stage = 'training' | 'fine-tuning' | 'inference' | 'other'

/** A stretch of a run with its energy. Phases follow one another; their energies add up to the run's. */
export interface RunPhase {
  readonly name: string
  readonly stage: Stage
  /** Gross: all that the hardware used. */
  readonly energy: Reading
  /** The same energy by source, such as `window.readSources()`. */
  readonly bySource?: readonly Reading[]
  readonly counts?: {
    readonly inputTokens?: number
    readonly outputTokens?: number
    readonly requests?: number
    /** Floating-point operations, as the model's shape gives them. */
    readonly flops?: number
  }
}

export interface RunFields {
  readonly model: { readonly name: string; readonly version: string; readonly parameters?: number }
  /** Who answers for the documents. */
  readonly publisher: string
  readonly task: { readonly family: string; readonly description?: string }
  /** At least one. `kind` is `cpu`, `gpu`, `memory` or another word. */
  readonly hardware: readonly { readonly kind: string; readonly name: string; readonly count: number }[]
  /** At least one, the language's runtime first. */
  readonly software: readonly { readonly name: string; readonly version: string }[]
  readonly location: { readonly country: string; readonly region?: string }
  /** ISO 8601 in UTC, such as `new Date().toISOString()`. */
  readonly startedAt: string
  readonly endedAt: string
  /** At least one, names unique. */
  readonly phases: readonly RunPhase[]
  /** Grams per kilowatt-hour; without it documents name no carbon. */
  readonly intensity?: { readonly location: CarbonIntensity; readonly market?: CarbonIntensity }
  /** Power usage effectiveness of the building, in carbon only; 1 by default. */
  readonly pue?: number
}

/** What ran and what it used. Frozen; every document made from it names `hash`, so that any figure can be traced to this. */
export interface RunRecord extends RunFields {
  /** `sha256:` and the digest of everything else here as canonical JSON (RFC 8785). */
  readonly hash: string
}

/**
 * A checked, frozen record of a run, from which the documents are made: `spdxDocument`, `cycloneDxDocument`, `boampsReport`,
 * `huggingFaceCard`, `softwareCarbonIntensity`, `modelDocumentationForm`.
 *
 * @throws `ERR_BIO_VALUE` for a missing or empty name, dates out of order, phases without names of their own, a reading that is none.
 *
 * @example
 * ```ts
 * import { createReading, createRunRecord } from '@bio/energy'
 *
 * const energy = createReading({ joules: 7.2e6, low: 6.8e6, high: 7.5e6, method: 'measured', source: 'rapl', seconds: 36_000 })
 * const run = createRunRecord({
 *   model: { name: 'digits', version: '1.0.0' },
 *   publisher: 'Example',
 *   task: { family: 'image classification' },
 *   hardware: [{ kind: 'cpu', name: 'EPYC 7763', count: 1 }],
 *   software: [{ name: 'node', version: '22.12.0' }],
 *   location: { country: 'DE' },
 *   startedAt: '2026-03-01T08:00:00Z',
 *   endedAt: '2026-03-01T18:00:00Z',
 *   phases: [{ name: 'train', stage: 'training', energy }],
 * })
 * console.log(run.hash.length) // => 71
 * ```
 */
export function createRunRecord(fields: RunFields): RunRecord {
  const plain = toPlain(fields) as RunFields
  checkRun(plain)
  return deepFreeze({ ...plain, hash: hashOf(plain) })
}

/** The record as canonical JSON, for a file; `parseRunRecord` reads it. */
export function formatRunRecord(run: RunRecord): string {
  return canonicalJson(checkedRecord('formatRunRecord', run))
}

/**
 * Reads what `formatRunRecord` wrote.
 *
 * @throws `ERR_BIO_VALUE` for a text that is no JSON, a record that was changed since, or one that could never be.
 */
export function parseRunRecord(text: string): RunRecord {
  try {
    return checkedRecord('parseRunRecord', JSON.parse(text))
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    throw invalid('parseRunRecord', 'a run record as JSON', text, describeError(error))
  }
}

/**
 * The record, if its hash is that of what it holds: every document asks, so that no figure of a copy that was changed goes out under the
 * hash of the run (`ERR_BIO_VALUE`).
 */
export function checkedRecord(operation: string, run: RunRecord): RunRecord {
  const { hash, ...fields } = run ?? {}
  const record = createRunRecord(fields)
  if (record.hash === hash) return record
  const hint = 'Make a record of changed fields by createRunRecord.'
  throw invalid(operation, `the hash of what the run holds, ${record.hash}`, hash, hint)
}

function hashOf(fields: RunFields): string {
  return `sha256:${createHash('sha256').update(canonicalJson(fields)).digest('hex')}`
}

function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value
  for (const item of Object.values(value)) deepFreeze(item)
  return Object.freeze(value)
}

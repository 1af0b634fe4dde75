import { carbonFootprint, type CarbonFootprint } from '../carbon/carbon-footprint.js'
import { addReadings } from '../reading/arithmetic.js'
import type { Boundary, Method, Reading } from '../reading/reading.js'
import type { RunPhase, RunRecord, Stage } from './run-record.js'

/** A document in somebody else's format. */
export type JsonObject = Readonly<Record<string, unknown>>

/** What stands beside a figure, in full, wherever a format has room: it leads back to the run and says how well the figure is known. */
export interface Provenance {
  readonly run: string
  readonly phase: string
  readonly method: Method
  readonly joules: number | null
  readonly lowJoules: number | null
  readonly highJoules: number | null
  readonly source: string
  readonly domains: readonly string[]
  readonly boundary: Boundary
  readonly seconds: number
  readonly reasons: readonly string[]
}

export function provenance(run: RunRecord, { name, energy }: RunPhase): Provenance {
  const { method, joules, low, high, source, domains, boundary, seconds, reasons } = energy
  const bounds = { joules, lowJoules: low, highJoules: high }
  return { run: run.hash, phase: name, method, ...bounds, source, domains, boundary, seconds, reasons }
}

/** The same in a sentence with exact joules, for formats with nothing but text. */
export function describeEnergy(run: RunRecord, energy: Reading): string {
  const { boundary, domains, seconds, reasons, joules, low, high, method, source } = energy
  if (joules === null) return `Unavailable: ${reasons.join('; ')}. Run ${run.hash}.`
  const covers = domains.length === 0 ? boundary : `${boundary}: ${domains.join(', ')}`
  const limits = reasons.length === 0 ? '' : ` Limits: ${reasons.join('; ')}.`
  return `${joules} J (${low} to ${high} J, ${method} by ${source}) over ${seconds} s, ${covers}.${limits} Run ${run.hash}.`
}

/** The energy of the phases of these stages together, or null where there is no such phase. */
export function stageEnergy(run: RunRecord, stages: readonly Stage[]): Reading | null {
  const readings = run.phases.filter(({ stage }) => stages.includes(stage)).map(({ energy }) => energy)
  return readings.length === 0 ? null : addReadings(readings)
}

/** Null where the run names no intensity. */
export function runFootprint(run: RunRecord, energy: Reading): CarbonFootprint | null {
  const { intensity, pue } = run
  return intensity === undefined
    ? null
    : carbonFootprint({ energy, ...intensity, ...(pue === undefined ? {} : { pue }) })
}

/** A UUID (version 8) of the run's hash, so that the same run always gives the same document. */
export function runUuid(run: RunRecord): string {
  const hex = run.hash.slice('sha256:'.length)
  const variant = '89ab'[Number.parseInt(hex[16]!, 16) & 3]
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}

/** `2026-03-01T18:00:00Z`: the formats want whole seconds. */
export function wholeSeconds(time: string): string {
  return `${new Date(time).toISOString().slice(0, 19)}Z`
}

import type { Reading } from '../reading/reading.js'
import { countable, type EnergyExport } from './countable.js'

/** As much of OpenTelemetry's `Meter` as is used: pass `metrics.getMeter('…')` of `@opentelemetry/api`. */
export interface OpenTelemetryMeter {
  createCounter(
    name: string,
    options: { unit: string; description: string },
  ): { add(value: number, attributes: Record<string, string>): void }
}

/** A word in a domain → the well-known value of `hw.type`. */
const types = { package: 'cpu', core: 'cpu', uncore: 'cpu', cpu: 'cpu', dram: 'memory', gpu: 'gpu' } as const

/**
 * Energy by OpenTelemetry's semantic conventions for hardware (in development): the counter `hw.energy` in joules with `hw.id` and
 * `hw.type`, and `hw.host.energy` for readings whose boundary is the whole computer.
 *
 * Method, source and boundary are the attributes `bio.energy.method`, `bio.energy.source`, `bio.energy.boundary`; the sums of the bounds
 * are the counters `bio.energy.low` and `bio.energy.high`, for as attributes they would make a series of each reading. Time whose energy
 * nobody knows adds seconds to `bio.energy.unknown` and no joules. Record `window.readSources()` for one `hw.type` each.
 *
 * @example
 * ```ts
 * import { EnergyMeter, openTelemetryEnergy } from '@bio/energy'
 * import { metrics } from '@opentelemetry/api'
 *
 * const energy = openTelemetryEnergy(metrics.getMeter('training'))
 * await using meter = await EnergyMeter.open()
 * using window = meter.begin('step')
 * energy.record(window.end())
 * console.log('recorded') // => recorded
 * ```
 */
export function openTelemetryEnergy(meter: OpenTelemetryMeter): EnergyExport {
  const counter = (
    name: string,
    unit: string,
    description: string,
  ): ReturnType<OpenTelemetryMeter['createCounter']> => meter.createCounter(name, { unit, description })
  const hardware = counter('hw.energy', 'J', 'Energy consumed by the component')
  const host = counter('hw.host.energy', 'J', 'Energy consumed by the entire physical host')
  const low = counter('bio.energy.low', 'J', 'Lower bound of the energy consumed')
  const high = counter('bio.energy.high', 'J', 'Upper bound of the energy consumed')
  const unknown = counter('bio.energy.unknown', 's', 'Time whose energy is unknown')
  return {
    record(reading: Reading): void {
      const { method, source, boundary, domains, seconds } = reading
      const attributes = {
        'hw.id': domains.join(' ') || source,
        'hw.type': typeOf(domains),
        'bio.energy.method': method,
        'bio.energy.source': source,
        'bio.energy.boundary': boundary,
      }
      const amount = countable('openTelemetryEnergy', reading)
      if (amount === null) return unknown.add(seconds, attributes)
      const total = boundary === 'node' ? host : hardware
      total.add(amount.joules, attributes)
      low.add(amount.low, attributes)
      high.add(amount.high, attributes)
    },
  }
}

/** `mixed` and `other` are our words for what the conventions have none for. */
function typeOf(domains: readonly string[]): string {
  const found = new Set(
    domains.map((domain) => Object.entries(types).find(([word]) => domain.includes(word))?.[1] ?? 'other'),
  )
  return found.size > 1 ? 'mixed' : ([...found][0] ?? 'other')
}

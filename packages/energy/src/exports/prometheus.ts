import type { Reading } from '../reading/reading.js'
import { countable, type EnergyExport } from './countable.js'

const labelNames = ['method', 'source', 'domains', 'boundary'] as const
type Label = (typeof labelNames)[number]

/** As much of the package `prom-client` as is used: pass the module. */
export interface PrometheusClient<Registry> {
  readonly Counter: new (configuration: {
    name: string
    help: string
    labelNames: Label[]
    registers: Registry[]
  }) => { inc(labels: Record<Label, string>, value: number): void }
}

/**
 * Energy as Prometheus counters in a registry of yours.
 *
 * `bio_energy_joules_total` by method, source, domains and boundary, so that estimated joules never melt into measured ones; the sums of
 * the bounds in `bio_energy_low_joules_total` and `bio_energy_high_joules_total`, for as labels they would make a series of each reading;
 * `bio_energy_unknown_seconds_total` for time whose energy nobody knows, which adds no joules.
 *
 * @example
 * ```ts
 * import { createReading, prometheusEnergy } from '@bio/energy'
 * import * as client from 'prom-client'
 *
 * const registry = new client.Registry()
 * const energy = prometheusEnergy({ client, registry })
 * energy.record(createReading({ joules: 2, low: 1, high: 4, method: 'estimated', source: 'cpu-time', seconds: 1 }))
 * console.log((await registry.metrics()).split('\n')[2])
 * // => bio_energy_joules_total{method="estimated",source="cpu-time",domains="",boundary="device"} 2
 * ```
 */
export function prometheusEnergy<Registry>(options: {
  readonly client: PrometheusClient<Registry>
  readonly registry: Registry
}): EnergyExport {
  const counter = (name: string, help: string): InstanceType<PrometheusClient<Registry>['Counter']> =>
    new options.client.Counter({ name, help, labelNames: [...labelNames], registers: [options.registry] })
  const joules = counter('bio_energy_joules_total', 'Energy used, best value')
  const low = counter('bio_energy_low_joules_total', 'Energy used, lower bound')
  const high = counter('bio_energy_high_joules_total', 'Energy used, upper bound')
  const unknown = counter('bio_energy_unknown_seconds_total', 'Time whose energy is unknown')
  return {
    record(reading: Reading): void {
      const { method, source, domains, boundary, seconds } = reading
      const labels = { method, source, domains: domains.join(' '), boundary }
      const amount = countable('prometheusEnergy', reading)
      if (amount === null) return unknown.inc(labels, seconds)
      joules.inc(labels, amount.joules)
      low.inc(labels, amount.low)
      high.inc(labels, amount.high)
    },
  }
}

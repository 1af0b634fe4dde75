import { cpuEstimateSource, type CpuEstimateOptions } from '../estimate/estimate-source.js'
import { nvmlSource } from '../nvml/nvml-source.js'
import { raplSource } from '../powercap/rapl-source.js'
import type { EnergySource } from '../source.js'

/** What a meter asks, best first per component; `scope` says whose CPU time an estimate is of, where nothing better answers. */
export function defaultSources({
  scope = 'machine',
}: Pick<CpuEstimateOptions, 'scope'> = {}): readonly EnergySource[] {
  return [raplSource(), cpuEstimateSource({ scope }), nvmlSource()]
}

import { amdGpuSource } from '../devices/amd-gpu-source.js'
import { appleSource } from '../devices/apple-source.js'
import { hwmonSource } from '../devices/hwmon-source.js'
import { jetsonSource } from '../devices/jetson-source.js'
import { cpuEstimateSource, type CpuEstimateOptions } from '../estimate/estimate-source.js'
import { nvmlSource } from '../nvml/nvml-source.js'
import { raplSource } from '../powercap/rapl-source.js'
import type { EnergySource } from '../source.js'

/**
 * What a meter asks, best first per component; `scope` says whose CPU time an estimate is of, where nothing better answers. Sources of the
 * whole computer (`batterySource`, `hwmonSource({ component: 'node' })`) hold every component and stand alone, so they are not among these.
 */
export function defaultSources({
  scope = 'machine',
  ...rest
}: Pick<CpuEstimateOptions, 'scope' | 'mark'> = {}): readonly EnergySource[] {
  return [
    raplSource(),
    hwmonSource({ component: 'cpu' }),
    jetsonSource(),
    appleSource(),
    cpuEstimateSource({ scope, ...rest }),
    nvmlSource(),
    amdGpuSource(),
    hwmonSource({ component: 'intel-gpu' }),
  ]
}

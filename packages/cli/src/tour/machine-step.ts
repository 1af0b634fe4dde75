import { cpus, totalmem } from 'node:os'
import type { EnergyMeter } from '@bio/energy'
import { getKernels } from '@bio/kernels'
import type { MachineFigures } from './report.js'

/** What this machine is and can do at most, and who counts its joules. */
export function machineStep(meter: EnergyMeter, { bytes }: { bytes: number }): MachineFigures {
  const kernels = getKernels()
  const { threads } = kernels
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryBytes: totalmem(),
    node: process.versions.node,
    kernels: kernels.backend,
    isa: kernels.isa,
    threads,
    readBytesPerSecond: kernels.probeReadBandwidth({ bytes, threads }),
    peakPerSecond: {
      f32: kernels.probePeak('f32', { threads }),
      bf16: kernels.probePeak('bf16', { threads }),
      int8: kernels.probePeak('int8', { threads }),
    },
    energySources: meter.sources().map(({ name, component, method, usable, used, reasons, cure }) => ({
      name,
      component,
      method,
      usable,
      used,
      reasons,
      ...(cure === undefined ? {} : { cure }),
    })),
  }
}

import { bytes, quantity } from '../terminal/format.js'
import type { MachineFigures } from '../tour/report.js'

/** The machine in a few lines: what the tour prints first, and all that the doctor says. */
export function machineLines(machine: MachineFigures): string[] {
  const { peakPerSecond: peak, readBytesPerSecond } = machine
  const peaks = [
    `f32 ${quantity(peak.f32)}op/s`,
    ...(peak.bf16 > 0 ? [`bf16 ${quantity(peak.bf16)}op/s`] : []),
    ...(peak.int8 > 0 ? [`int8 ${quantity(peak.int8)}op/s`] : []),
  ]
  return [
    `  processor   ${machine.cpu}, ${machine.cores} cores, ${bytes(machine.memoryBytes)} memory, Node ${machine.node}`,
    `  kernels     ${machine.kernels}, ${machine.isa}, ${machine.threads} threads`,
    `  limits      ${quantity(readBytesPerSecond)}B/s read, ${peaks.join(', ')}`,
    ...machine.energySources.flatMap(({ name, component, method, usable, used, reasons, cure }) => {
      const state = used ? `${method}, in use` : usable ? `${method}, not needed` : 'not here'
      const why = reasons.length === 0 ? '' : `: ${reasons.join('; ')}`
      return [
        `  energy      ${name} (${component}): ${state}${why}`,
        ...(cure === undefined ? [] : [`              → ${cure.replaceAll('\n', '\n                ')}`]),
      ]
    }),
    `  joules      ${verdict(machine)}`,
  ]
}

/** What every joule on this machine will be. */
function verdict({ energySources }: MachineFigures): string {
  const used = energySources.filter((source) => source.used)
  if (used.length === 0) return 'unknown: no source can be used'
  const guessed = used.filter(({ method }) => method === 'estimated')
  const measured = used.filter(({ method }) => method !== 'estimated')
  const name = (sources: typeof used): string => sources.map(({ component }) => component).join(' and ')
  if (guessed.length === 0) return `measured (${name(measured)})`
  const part =
    measured.length === 0 ? '' : `: the ${name(guessed)} is, though the ${name(measured)} is measured`
  return `estimated, within a band${part}`
}

import { availableParallelism, cpus, loadavg, totalmem } from 'node:os'

/** What ran the bench, for the head of its table and its JSON. `load` is of the minute before. */
export function machine() {
  return {
    cpu: cpus()[0]?.model.trim() ?? process.arch,
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    platform: `${process.platform} ${process.arch}`,
    node: process.versions.node,
    load: loadavg()[0],
  }
}

export function machineLine({ cpu, cores, memoryGiB, platform, node, load }) {
  const busy = load > cores / 2 ? ': busy, so take no figure for more than a hint' : ''
  return `${cpu}, ${cores} cores, ${memoryGiB} GiB, ${platform}, Node ${node}, load ${load.toFixed(2)}${busy}`
}

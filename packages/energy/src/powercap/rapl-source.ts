import { describeError, invalid } from '../check.js'
import { CounterAccount } from '../counter/counter-account.js'
import { monotonicSeconds, type Clock, type EnergySource, type SourceOpening } from '../source.js'
import { permissionCure } from './permission.js'
import { errorCode, readCount, systemFiles, type PowercapFiles } from './powercap-files.js'
import { RaplAccount } from './rapl-account.js'
import { findZones, type Zone, type ZoneTree } from './zones.js'

export interface RaplOptions {
  /** The powercap folder; `/sys/class/powercap` by default, elsewhere for one mounted into a container or a virtual machine. */
  readonly root?: string
  readonly files?: PowercapFiles
  readonly now?: Clock
}

/** RAPL refreshes about every millisecond, at unpredictable moments (Khan et al. 2018); twice that is what the bounds allow for. */
const refreshSeconds = 0.002

/**
 * The energy counters of Intel and AMD processors, read through Linux powercap: packages and their DRAM.
 *
 * Measured by the processor itself, every 1 ms or so; nothing here checks the processor's own calibration.
 *
 * @throws `ERR_BIO_VALUE` for an empty root.
 */
export function raplSource(options: RaplOptions = {}): EnergySource {
  const { root = '/sys/class/powercap', files = systemFiles, now = monotonicSeconds } = options
  if (root === '') throw invalid('raplSource', 'root to name a folder', root)
  return { name: 'rapl', component: 'cpu', method: 'measured', open: () => open(files, root, now) }
}

function open(files: PowercapFiles, root: string, now: Clock): SourceOpening {
  let tree: ZoneTree
  try {
    tree = findZones(files, root)
  } catch (error) {
    return { usable: false, reasons: [`${root} cannot be listed (${errorCode(error)}): ${absence}`] }
  }
  if (tree.zones.length === 0) {
    return { usable: false, reasons: [...tree.reasons, `${root} has no RAPL zone: ${absence}`] }
  }
  const reasons = [...tree.reasons]
  const counted: Zone[] = []
  for (const zone of tree.zones) {
    try {
      readEnergy(files, zone)
      counted.push(zone)
    } catch (error) {
      const code = errorCode(error)
      if (code === 'EACCES' || code === 'EPERM') {
        const reason = `${zone.path}/energy_uj may not be read (${code}): since Linux 5.10 only root may, unless a rule says otherwise`
        return { usable: false, reasons: [reason], cure: permissionCure, present: true }
      }
      // A package less would be a partial sum that passes for a whole one; DRAM has its own name in `domains`.
      if (zone.kind !== 'dram')
        return { usable: false, reasons: [...reasons, describeError(error)], present: true }
      reasons.push(`${zone.domain} is left out: ${describeError(error)}`)
    }
  }
  const account = new RaplAccount(
    counted.map((zone) => ({ zone, account: new CounterAccount(counter(files, zone), now) })),
    { reasons, now },
  )
  return { usable: true, account, reasons: [...reasons, ...account.notes()] }
}

const absence =
  'a virtual machine, a container without it, an operating system other than Linux, or a kernel without the driver (AMD needs Linux 5.11)'

function counter(files: PowercapFiles, zone: Zone): CounterAccount['counter'] {
  const unit = zone.range / (2 ** 32 - 1)
  return {
    source: 'rapl',
    domain: zone.domain,
    read: () => readEnergy(files, zone),
    // The range is the largest value, so the counter starts again one unit later.
    modulus: zone.range + unit,
    unit,
    maxWatts: zone.maxWatts,
    refreshSeconds,
    // The platform's counter is fed by a slower controller.
    stuckAfterSeconds: zone.kind === 'psys' ? 3 : 0.1,
  }
}

/** Joules. */
function readEnergy(files: PowercapFiles, zone: Zone): number {
  const value = readCount(files, `${zone.path}/energy_uj`) / 1e6
  if (value > zone.range) throw new Error(`${zone.path}/energy_uj is beyond its own range`)
  return value
}

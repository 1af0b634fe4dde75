import { checkNumber, describeError, invalid } from '../check.js'
import { CounterAccount } from '../counter/counter-account.js'
import { directFeed, type CounterFeed } from '../sampler/counter-feed.js'
import { sampleFiles } from '../sampler/native-sampler.js'
import { monotonicSeconds, type Clock, type EnergySource, type SourceOpening } from '../source.js'
import { permissionCure } from './permission.js'
import { errorCode, readCount, systemFiles, type PowercapFiles } from './powercap-files.js'
import { RaplAccount } from './rapl-account.js'
import { findZones, zoneJoules, type Zone, type ZoneTree } from './zones.js'

export interface RaplOptions {
  /** The powercap folder; `/sys/class/powercap` by default, elsewhere for one mounted into a container or a virtual machine. */
  readonly root?: string
  /** How often the thread of `@bio/kernels` reads, where that package is installed, per second; 10 by default, 0.01 to 1000. */
  readonly hertz?: number
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
 * @throws `ERR_BIO_VALUE` for an empty root or a rate out of range.
 */
export function raplSource(options: RaplOptions = {}): EnergySource {
  const { root = '/sys/class/powercap', files = systemFiles, now = monotonicSeconds, hertz = 10 } = options
  if (root === '') throw invalid('raplSource', 'root to name a folder', root)
  checkNumber('raplSource', 'hertz', hertz, { minimum: 0.01, maximum: 1000 })
  const open = (): Promise<SourceOpening> => openZones({ root, files, now, hertz })
  return { name: 'rapl', component: 'cpu', method: 'measured', open }
}

async function openZones({ root, files, now, hertz }: Required<RaplOptions>): Promise<SourceOpening> {
  let tree: ZoneTree
  try {
    tree = findZones(files, root)
  } catch (error) {
    return { usable: false, reasons: [`${root} cannot be listed (${errorCode(error)}): ${absence}`] }
  }
  // A package less would be a partial sum that passes for a whole one.
  if (tree.incomplete) return { usable: false, reasons: tree.reasons, present: true }
  if (tree.zones.length === 0) {
    return { usable: false, reasons: [...tree.reasons, `${root} has no RAPL zone: ${absence}`] }
  }
  const reasons = [...tree.reasons]
  const counted: Zone[] = []
  for (const zone of tree.zones) {
    try {
      const joules = zoneJoules(zone, readCount(files, `${zone.path}/energy_uj`))
      if (typeof joules === 'string') throw new Error(joules)
      counted.push(zone)
    } catch (error) {
      const code = errorCode(error)
      if (code === 'EACCES' || code === 'EPERM') {
        const reason = `${zone.path}/energy_uj may not be read (${code}): since Linux 5.10 only root may, unless a rule says otherwise`
        return { usable: false, reasons: [reason], cure: permissionCure, present: true }
      }
      // Only DRAM has a name of its own in `domains`.
      if (zone.kind !== 'dram')
        return { usable: false, reasons: [...reasons, describeError(error)], present: true }
      reasons.push(`${zone.domain} is left out: ${describeError(error)}`)
    }
  }
  const feed = await openFeed(counted, { files, now, hertz })
  const account = new RaplAccount(
    counted.map((zone) => ({ zone, account: new CounterAccount(counter(zone), now) })),
    { feed, reasons, now },
  )
  return { usable: true, account, reasons: [...reasons, ...account.notes()] }
}

/** A thread reads the real files, where there is one and nobody brings another clock; else they are read when the meter asks. */
async function openFeed(
  zones: readonly Zone[],
  { files, now, hertz }: Pick<Required<RaplOptions>, 'files' | 'now' | 'hertz'>,
): Promise<CounterFeed> {
  const paths = zones.map((zone) => `${zone.path}/energy_uj`)
  const real = files === systemFiles && now === monotonicSeconds
  const feed = real ? await sampleFiles(paths, hertz) : undefined
  return (
    feed ??
    directFeed(
      paths.map((path) => () => readCount(files, path)),
      now,
    )
  )
}

const absence =
  'a virtual machine, a container without it, an operating system other than Linux, or a kernel without the driver (AMD needs Linux 5.11)'

function counter(zone: Zone): CounterAccount['counter'] {
  const unit = zone.range / (2 ** 32 - 1)
  return {
    source: 'rapl',
    domain: zone.domain,
    // The range is the largest value, so the counter starts again one unit later.
    modulus: zone.range + unit,
    unit,
    maxWatts: zone.maxWatts,
    refreshSeconds,
    // The platform's counter is fed by a slower controller.
    stuckAfterSeconds: zone.kind === 'psys' ? 3 : 0.1,
  }
}

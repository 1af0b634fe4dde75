import { describeError } from '../check.js'
import { readCount, type PowercapFiles } from './powercap-files.js'

/** One RAPL zone: a counter of a part of the machine. */
export interface Zone {
  /** `package-0`, `package-0-die-1`, `dram-0`, `psys`. */
  readonly domain: string
  readonly kind: 'package' | 'dram' | 'psys'
  readonly path: string
  /** Joules at which the counter starts again. */
  readonly range: number
  /** Above what the hardware can draw, in watts: a wrap that would need more is none. */
  readonly maxWatts: number
}

/** The joules that a counter of microjoules stands for, or why it cannot be so. */
export function zoneJoules(zone: Zone, microjoules: number): number | string {
  const joules = microjoules / 1e6
  return joules <= zone.range ? joules : `${zone.path}/energy_uj is beyond its own range`
}

/** Zones found, and what was left out and why. */
export interface ZoneTree {
  readonly zones: readonly Zone[]
  /** A zone was left out that may be a package. */
  readonly incomplete: boolean
  readonly reasons: readonly string[]
}

/** Where a zone names no limits, or implausible ones: the largest sold in 2026 stay below half of these. */
const greatestWatts = { package: 1000, dram: 400, psys: 4000 }
const leastMaxWatts = 250

/**
 * Reads the powercap tree: `intel-rapl:N` zones with `intel-rapl:N:M` inside them, on Intel and AMD alike.
 *
 * psys ⊃ package ⊃ core, uncore; DRAM stands beside them. Kept are the packages with their DRAM, else psys: so nothing is counted
 * twice. `intel-rapl-mmio` shows packages again that `intel-rapl` has, and is used only where that lacks them.
 *
 * Throws what listing the root throws; a zone that is malformed is left out with a reason.
 */
export function findZones(files: PowercapFiles, root: string): ZoneTree {
  const folders = files.list(root).filter((folder) => /^intel-rapl(-mmio)?:\d+(:\d+)?$/.test(folder))
  const reasons: string[] = []
  const found = new Map<string, Zone>()
  let incomplete = false
  // The MSR interface first, so that the MMIO duplicate of a package finds it taken.
  for (const folder of folders.toSorted(byInterface)) {
    const path = `${root}/${folder}`
    try {
      const zone = readZone(files, path, folder)
      if (zone !== undefined && !found.has(zone.domain)) found.set(zone.domain, zone)
    } catch (error) {
      reasons.push(`${folder} is left out: ${describeError(error)}`)
      incomplete ||= mayBePackage(files, path, folder)
    }
  }
  const all = [...found.values()]
  const has = (kind: Zone['kind']): boolean => all.some((zone) => zone.kind === kind)
  const left = has('package') || !has('psys') ? 'psys' : 'dram'
  return { zones: all.filter(({ kind }) => kind !== left), incomplete, reasons }
}

/** False for a malformed zone within another, of the interface that repeats packages, or with a name that says otherwise. */
function mayBePackage(files: PowercapFiles, path: string, folder: string): boolean {
  if (!/^intel-rapl:\d+$/.test(folder)) return false
  try {
    return files.read(`${path}/name`).startsWith('package')
  } catch {
    return true
  }
}

function readZone(files: PowercapFiles, path: string, folder: string): Zone | undefined {
  const name = files.read(`${path}/name`).trim()
  const [, , parent, child] = /^intel-rapl(-mmio)?:(\d+)(?::(\d+))?$/.exec(folder)!
  const kind =
    name === 'psys' ? 'psys' : name === 'dram' ? 'dram' : name.startsWith('package-') ? 'package' : undefined
  if (kind === undefined) return undefined
  const range = readCount(files, `${path}/max_energy_range_uj`) / 1e6
  if (!(range > 0)) throw new Error(`${path}/max_energy_range_uj is 0, so wraps cannot be counted`)
  const domain = kind === 'dram' && child !== undefined ? `dram-${dramOwner(files, path, parent!)}` : name
  return { domain, kind, path, range, maxWatts: maxWatts(files, path, kind) }
}

/** The package that a DRAM zone lies in, as `package-1` → `1`; zone numbers and package numbers may differ. */
function dramOwner(files: PowercapFiles, path: string, parent: string): string {
  const name = files.read(`${path.slice(0, path.lastIndexOf(':'))}/name`).trim()
  return name.startsWith('package-') ? name.slice('package-'.length) : parent
}

/** Bursts exceed the limits that a zone names (PL1, PL2, PL4) for moments only, so twice the largest is safe. */
function maxWatts(files: PowercapFiles, path: string, kind: Zone['kind']): number {
  const limits = [0, 1, 2].flatMap((constraint) =>
    ['max_power_uw', 'power_limit_uw'].map((file) => {
      try {
        return readCount(files, `${path}/constraint_${constraint}_${file}`) / 1e6
      } catch {
        return 0
      }
    }),
  )
  const largest = Math.max(...limits)
  if (largest === 0) return greatestWatts[kind]
  return Math.min(Math.max(2 * largest, leastMaxWatts), greatestWatts[kind])
}

function byInterface(left: string, right: string): number {
  return Number(left.includes('mmio')) - Number(right.includes('mmio')) || left.localeCompare(right)
}

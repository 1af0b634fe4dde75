import { CounterAccount } from '../counter/counter-account.js'
import { PowerAccount, type PowerDevice } from '../counter/power-account.js'
import { readCount, type PowercapFiles } from '../powercap/powercap-files.js'
import type { Boundary } from '../reading/reading.js'
import type { Clock } from '../source.js'

/** One chip of the hwmon tree, as `hwmon3` of driver `amdgpu`. */
export interface HwmonChip {
  readonly driver: string
  readonly path: string
  readonly files: PowercapFiles
  /** The names of its files. */
  readonly names: readonly string[]
}

/** The chips under a hwmon folder; throws what listing it throws, and skips one without a name. */
export function listChips(files: PowercapFiles, root: string): HwmonChip[] {
  const folders = files.list(root).filter((folder) => /^hwmon\d+$/.test(folder))
  return folders.toSorted(byNumber).flatMap((folder) => {
    const path = `${root}/${folder}`
    try {
      return [{ driver: files.read(`${path}/name`).trim(), path, files, names: files.list(path) }]
    } catch {
      return []
    }
  })
}

/** The text of a file of the chip, or undefined. */
export function readLabel({ files, path, names }: HwmonChip, name: string): string | undefined {
  if (!names.includes(name)) return undefined
  try {
    return files.read(`${path}/${name}`).trim()
  } catch {
    return undefined
  }
}

/** A number of the chip over its divisor (10⁶ for µW and µJ, 10³ for mV and ms), or undefined where it has none. */
export function readOptional(chip: HwmonChip, name: string, divisor: number): number | undefined {
  if (!chip.names.includes(name)) return undefined
  try {
    return readCount(chip.files, `${chip.path}/${name}`) / divisor
  } catch {
    return undefined
  }
}

export interface ChannelFields {
  readonly source: string
  readonly domain: string
  readonly boundary?: Boundary
  /** Where the chip names no limit: above what any such part draws. */
  readonly maxWatts: number
}

/** `energy1_input`: µJ since the driver was loaded, 64 bits, never wrapping in practice; kept by a thread of the driver or by firmware. */
export function energyChannel(
  { files, path }: HwmonChip,
  name: string,
  { source, domain, maxWatts }: ChannelFields,
  now: Clock,
): CounterAccount {
  return new CounterAccount(
    {
      source,
      domain,
      maxWatts,
      read: () => readCount(files, `${path}/${name}`) / 1e6,
      modulus: null,
      unit: 1e-4,
      refreshSeconds: 0.1,
      stuckAfterSeconds: 3,
    },
    now,
  )
}

/**
 * `power1_average`, whose averaging the chip tells in `power1_average_interval`, or `power1_input`; µW. Where the averaging is told nowhere,
 * each value is taken for the mean of the time since the one before it, which makes readings estimated. A limit that is itself a sentinel
 * (2³² − 1 mW) is none.
 */
export function powerChannel(
  chip: HwmonChip,
  channel: number,
  fields: ChannelFields,
  now: Clock,
): PowerAccount {
  const file = powerFile(chip, channel)!
  const interval = file.endsWith('average')
    ? readOptional(chip, `power${channel}_average_interval`, 1000)
    : undefined
  const told = interval !== undefined && interval > 0 && interval <= 60
  const device: PowerDevice = {
    ...fields,
    maxWatts: plausibleWatts(chip, channel, fields.maxWatts),
    refreshSeconds: told ? interval : assumedRefreshSeconds,
    averagingSeconds: told ? interval : assumedRefreshSeconds,
    unitWatts: 1e-3,
    assumptions: told
      ? []
      : [`${file} of ${chip.driver} is taken for the mean of the last ${assumedRefreshSeconds} s`],
    read: () => readCount(chip.files, `${chip.path}/${file}`) / 1e6,
  }
  return new PowerAccount(device, now)
}

/** A driver that asks its firmware at every read answers with a value that is at most so old. */
const assumedRefreshSeconds = 0.1

/** The better file of a power channel: the average over the power of a moment. */
export function powerFile({ names }: HwmonChip, channel: number): string | undefined {
  return [`power${channel}_average`, `power${channel}_input`].find((name) => names.includes(name))
}

function plausibleWatts(chip: HwmonChip, channel: number, fallback: number): number {
  const limits = ['cap_max', 'max', 'crit', 'cap'].map((name) =>
    readOptional(chip, `power${channel}_${name}`, 1e6),
  )
  const largest = Math.max(
    0,
    ...(limits.filter((watts) => watts !== undefined && watts < fallback) as number[]),
  )
  // Bursts exceed a limit for moments.
  return largest > 0 ? Math.min(2 * largest, fallback) : fallback
}

function byNumber(left: string, right: string): number {
  return Number(left.slice(5)) - Number(right.slice(5))
}

import type { Zone } from './zones.js'

/** A zone and what its counter said when. */
export interface ZoneValue {
  readonly zone: Zone
  /** Joules. */
  readonly value: number
  /** Seconds. */
  readonly time: number
}

/** A counter may have advanced by this long between two reads of it, beyond the time between them. */
const slackSeconds = 0.005

/**
 * True when two dies of one package show one counter: some multi-die AMD parts do (two times 68 W reported as 137 W), and a sum
 * would count it twice. Counters of separate dies differ by far more than what the chip can use between the two reads.
 */
export function mirrors(left: ZoneValue, right: ZoneValue): boolean {
  const [owner, other] = [packageOfDie(left.zone), packageOfDie(right.zone)]
  if (owner === undefined || owner !== other) return false
  const distance = Math.abs(left.value - right.value)
  const around = Math.min(distance, Math.abs(left.zone.range - distance))
  return around <= left.zone.maxWatts * (Math.abs(left.time - right.time) + slackSeconds)
}

/** `package-0` of `package-0-die-1`; undefined for a package that is not split. */
function packageOfDie(zone: Zone): string | undefined {
  return /^(package-\d+)-die-\d+$/.exec(zone.domain)?.[1]
}

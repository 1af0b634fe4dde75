import type { CountedZone } from './rapl-account.js'
import type { Zone } from './zones.js'

/** A counter may have advanced by this long between two reads of it, beyond the time between them. */
const slackSeconds = 0.005

/**
 * True when two dies of one package show one counter: some multi-die AMD parts do (two times 68 W reported as 137 W), and a sum
 * would count it twice. Counters of separate dies differ by far more than what the chip can use between the two reads.
 */
export function mirrors(left: CountedZone, right: CountedZone): boolean {
  const [owner, other] = [packageOfDie(left.zone), packageOfDie(right.zone)]
  const [one, two] = [left.account.last, right.account.last]
  if (owner === undefined || owner !== other || one === undefined || two === undefined) return false
  const distance = Math.abs(one.value - two.value)
  const around = Math.min(distance, Math.abs(left.zone.range - distance))
  return around <= left.zone.maxWatts * (Math.abs(one.time - two.time) + slackSeconds)
}

/** `package-0` of `package-0-die-1`; undefined for a package that is not split. */
function packageOfDie(zone: Zone): string | undefined {
  return /^(package-\d+)-die-\d+$/.exec(zone.domain)?.[1]
}

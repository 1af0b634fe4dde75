import type { CounterAccount } from '../counter/counter-account.js'
import { joinReadings } from '../reading/arithmetic.js'
import { unavailableReading, withReasons, type Reading } from '../reading/reading.js'
import type { CounterFeed } from '../sampler/counter-feed.js'
import { CounterGroup } from '../sampler/counter-group.js'
import type { Clock, EnergyAccount, EnergySpan } from '../source.js'
import { mirrors } from './mirrors.js'
import { zoneJoules, type Zone } from './zones.js'

export interface CountedZone {
  readonly zone: Zone
  readonly account: CounterAccount
}

/** The sum over RAPL zones, with mirrored dies counted once. */
export class RaplAccount implements EnergyAccount {
  readonly #now: Clock
  readonly #reasons: readonly string[]
  readonly #group: CounterGroup
  #counted: readonly CountedZone[]
  /** Dies that show the counter of another, and which. */
  #mirrors: readonly { readonly zone: CountedZone; readonly of: CountedZone }[] = []
  /** Goes up when a mirror turns out to be none; spans of before do not know what it used. */
  #generation = 0

  constructor(
    zones: readonly CountedZone[],
    options: { feed: CounterFeed; reasons: readonly string[]; now: Clock },
  ) {
    this.#reasons = options.reasons
    this.#now = options.now
    this.#group = new CounterGroup(
      options.feed,
      zones.map(({ zone, account }) => ({ value, time, since = time }) => {
        account.take({ value: typeof value === 'number' ? zoneJoules(zone, value) : value, time, since })
      }),
    )
    this.#group.pull()
    this.#mirrors = zones.flatMap((zone, index) => {
      const first = zones.findIndex((other) => mirrors(other, zone))
      return first >= 0 && first < index ? [{ zone, of: zones[first]! }] : []
    })
    this.#counted = zones.filter((zone) => !this.#mirrors.some((mirror) => mirror.zone === zone))
  }

  /** What a reading leaves out, in words. */
  notes(): string[] {
    return this.#mirrors.map(
      ({ zone, of }) => `${zone.zone.domain} shows the counter of ${of.zone.domain}, which is counted once`,
    )
  }

  sample(): void {
    this.#group.pull()
  }

  close(): void {
    this.#group.close()
  }

  startSpan(): EnergySpan {
    this.#group.pull()
    this.#checkMirrors()
    const start = this.#now()
    const generation = this.#generation
    const spans = this.#counted.map(({ zone, account }) => ({ zone, account, span: account.startSpan() }))
    return {
      read: () => {
        this.#group.pull()
        this.#checkMirrors()
        const reasons = [...this.#reasons, ...this.notes()]
        if (generation !== this.#generation) {
          const reason = 'a die that seemed to mirror another began to count on its own'
          const seconds = Math.max(0, this.#now() - start)
          return unavailableReading({ source: 'rapl', seconds, reasons: [...reasons, reason] })
        }
        const readings: Reading[] = []
        for (const { zone, account, span } of spans) {
          const reading = span.read()
          // DRAM that is not metered has a counter that never moves; everything else that fails makes the sum unknown.
          if (reading.joules === null && zone.kind === 'dram' && !account.moved) {
            reasons.push(`${zone.domain} is left out: its counter has never moved`)
          } else readings.push(reading)
        }
        return withReasons(reasons, joinReadings(readings))
      },
    }
  }

  /** Two dies had the same counter by chance when they drift apart; from then on both count. */
  #checkMirrors(): void {
    const still = this.#mirrors.filter(({ zone, of }) => mirrors(of, zone))
    if (still.length === this.#mirrors.length) return
    const parted = this.#mirrors.filter((mirror) => !still.includes(mirror))
    this.#mirrors = still
    this.#counted = [...this.#counted, ...parted.map(({ zone }) => zone)]
    this.#generation++
  }
}

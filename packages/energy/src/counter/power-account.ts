import { describeError } from '../check.js'
import { createReading, unavailableReading, type Boundary, type Reading } from '../reading/reading.js'
import type { Clock, EnergyAccount, EnergySpan } from '../source.js'
import { integratePower, type EnergyBounds, type PowerPoint, type PowerSensor } from './power-integral.js'

/** A device that tells its power but not its energy, and how to read it. */
export interface PowerDevice extends PowerSensor {
  readonly source: string
  readonly domain: string
  readonly boundary?: Boundary
  /** Watts. Throws when the sensor cannot be read or holds no number. Absent where somebody else reads and calls `take`. */
  readonly read?: () => number
  /** What is assumed about the sensor and written nowhere; with any, readings are estimated. */
  readonly assumptions: readonly string[]
}

/** What a read of a power sensor gave, and when in seconds: watts, or why there are none. */
export interface PowerSample {
  readonly value: number | string
  /** When the read had ended. */
  readonly time: number
  /** When it had begun; `time` by default. */
  readonly since?: number
}

/** Points of some minutes, and the totals up to where they begin; so that an open window costs no memory however long it is. */
interface Block {
  readonly begin: number
  readonly totals: EnergyBounds
  readonly points: PowerPoint[]
  end?: { readonly time: number; readonly totals: EnergyBounds }
}

const pointsPerBlock = 1024

/**
 * Running totals over a power sensor: joules by integration, `derived`, between what the least and the most power between its values can
 * have used (see `integratePower`). Time in which it was not read widens the bounds. A sensor that cannot be read when the window ends, or
 * could not when it began, makes the reading unavailable.
 */
export class PowerAccount implements EnergyAccount {
  readonly device: PowerDevice
  readonly #now: Clock
  #block: Block | undefined
  #last: { readonly value: number; readonly since: number } | undefined
  #failure: string | undefined = 'the sensor was never read'
  #samples = 0

  constructor(device: PowerDevice, now: Clock) {
    this.device = device
    this.#now = now
  }

  sample(): void {
    const { read } = this.device
    if (read === undefined) return
    const since = this.#now()
    let value: number | string
    try {
      value = read()
    } catch (error) {
      value = describeError(error)
    }
    this.take({ value, time: this.#now(), since })
  }

  /** Takes in a read; they come in the order in which they were made. */
  take({ value, time, since = time }: PowerSample): void {
    this.#failure = typeof value === 'string' ? value : implausible(value, this.device.maxWatts)
    if (typeof value === 'string' || this.#failure !== undefined) return
    this.#samples++
    this.#block ??= { begin: time, totals: nothing, points: [] }
    const { points } = this.#block
    const before = this.#last
    const oldest = since - this.device.refreshSeconds
    const changed = before !== undefined && before.value !== value
    this.#last = { value, since }
    // The same value again tells nothing new until it must have been refreshed.
    if (!changed && oldest < (points.at(-1)?.to ?? -Infinity)) return
    points.push({ watts: value, from: changed ? Math.max(oldest, before.since) : oldest, to: time })
    if (points.length >= pointsPerBlock) this.#turn(this.#block, time)
  }

  startSpan(): EnergySpan {
    this.sample()
    const failure = this.#failure
    const start = this.#now()
    const samples = this.#samples
    const block = this.#block
    return {
      read: (): Reading => {
        this.sample()
        const end = this.#now()
        const { source, domain, boundary = 'device' } = this.device
        const fields = {
          source,
          domains: [domain],
          boundary,
          seconds: Math.max(0, end - start),
          samples: this.#samples - samples + 1,
        }
        const reason = failure ?? this.#failure
        if (reason !== undefined || block === undefined) {
          return unavailableReading({ ...fields, reasons: [`${domain}: ${reason}`] })
        }
        return this.#reading(fields, this.#between(block, start, end))
      },
    }
  }

  #reading(
    fields: Pick<Reading, 'source' | 'domains' | 'boundary' | 'seconds' | 'samples'>,
    { low, high, joules, seenSeconds }: EnergyBounds,
  ): Reading {
    const { assumptions, averagingSeconds, domain } = this.device
    const reasons = assumptions.map((assumption) => `${domain}: ${assumption}`)
    if (averagingSeconds === 0)
      reasons.push(`${domain}: it shows the power of moments, and any power may lie between`)
    if (low > high) reasons.push(`${domain}: its values contradict one another, as averages of a power`)
    return createReading({
      ...fields,
      joules: Math.max(0, Math.min(low, high), Math.min(joules, Math.max(low, high))),
      low: Math.max(0, Math.min(low, high)),
      high: Math.max(0, low, high),
      method: reasons.length === 0 ? 'derived' : 'estimated',
      coverage: fields.seconds > 0 ? Math.min(1, seenSeconds / fields.seconds) : 1,
      reasons: [`${domain}: integrated from its power`, ...reasons],
    })
  }

  #between({ points, end }: Block, from: number, to: number): EnergyBounds {
    if (end === undefined) return integratePower(points, { from, to }, this.device)
    const { begin, totals, points: latest } = this.#block!
    const head = integratePower(points, { from, to: end.time }, this.device)
    const tail = integratePower(latest, { from: begin, to }, this.device)
    return combine((of) => of(head) + of(totals) - of(end.totals) + of(tail))
  }

  /** Closes a block and begins the next with the points that its first moments rest on. */
  #turn(block: Block, time: number): void {
    const whole = integratePower(block.points, { from: block.begin, to: time }, this.device)
    const totals = combine((of) => of(block.totals) + of(whole))
    block.end = { time, totals }
    const reach = time - this.device.averagingSeconds - this.device.refreshSeconds
    const points = block.points.filter(({ to }) => to >= reach).slice(-pointsPerBlock / 2)
    this.#block = { begin: time, totals, points }
  }
}

const nothing: EnergyBounds = { joules: 0, low: 0, high: 0, seenSeconds: 0 }

function implausible(watts: number, maxWatts: number): string | undefined {
  if (watts >= 0 && watts <= maxWatts) return undefined
  return `the sensor shows ${watts} W, and 0 to ${maxWatts} W are plausible`
}

/** Every field of the totals, by one formula. */
function combine(formula: (of: (from: EnergyBounds) => number) => number): EnergyBounds {
  return {
    joules: formula(({ joules }) => joules),
    low: formula(({ low }) => low),
    high: formula(({ high }) => high),
    seenSeconds: formula(({ seenSeconds }) => seenSeconds),
  }
}

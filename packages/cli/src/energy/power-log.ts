import { addReadings, type EnergyMeter, type Reading } from '@bio/energy'

/** As many points as a chart can show. */
const most = 600

/** Power over time: a reading every second, and where that would be too many, of as many seconds as needed. */
export class PowerLog implements Disposable {
  readonly #log: ReturnType<EnergyMeter['perStep']>
  readonly #timer: NodeJS.Timeout
  #readings: Reading[] = []
  /** Seconds in one of the readings, and those of the next so far. */
  #period = 1
  #pending: Reading[] = []

  constructor(meter: EnergyMeter, { milliseconds = 1000 }: { milliseconds?: number } = {}) {
    this.#log = meter.perStep()
    this.#timer = setInterval(() => this.#take(), milliseconds)
  }

  /** Ends it; the readings follow one another and cover all of the time. */
  end(): readonly Reading[] {
    clearInterval(this.#timer)
    return [...this.#readings, addReadings([...this.#pending, this.#log.step().energy])]
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
  }

  #take(): void {
    this.#pending.push(this.#log.step().energy)
    if (this.#pending.length < this.#period) return
    this.#readings.push(addReadings(this.#pending))
    this.#pending = []
    if (this.#readings.length < most) return
    this.#readings = Array.from({ length: most / 2 }, (_, pair) =>
      addReadings(this.#readings.slice(2 * pair, 2 * pair + 2)),
    )
    this.#period *= 2
  }
}

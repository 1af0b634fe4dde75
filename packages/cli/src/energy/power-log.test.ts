import { createReading, EnergyMeter, type EnergySource } from '@bio/energy'
import { expect, test, vi } from 'vitest'
import { PowerLog } from './power-log.js'

/** One watt by a clock that tests move. */
class OneWatt implements EnergySource {
  readonly name = 'rapl'
  readonly component = 'cpu'
  readonly method = 'measured'
  time = 0

  open(): ReturnType<EnergySource['open']> {
    const startSpan = () => {
      const start = this.time
      return {
        read: () => {
          const seconds = this.time - start
          return createReading({
            joules: seconds,
            method: 'measured',
            source: 'rapl',
            domains: ['cpu'],
            seconds,
          })
        },
      }
    }
    return { usable: true, reasons: [], account: { sample: () => {}, startSpan } }
  }
}

test.each([0, 1, 5, 599, 600, 1500, 5000])(
  'after %i seconds nothing is missing, and there are at most 600 readings',
  async (seconds) => {
    vi.useFakeTimers()
    const source = new OneWatt()
    await using meter = await EnergyMeter.open({ sources: [source], sampleSeconds: 60 })
    const log = new PowerLog(meter)
    for (let second = 0; second < seconds; second++) {
      source.time += 1
      vi.advanceTimersByTime(1000)
    }
    source.time += 0.5
    const readings = log.end()
    vi.useRealTimers()
    expect(readings.length).toBeLessThanOrEqual(600)
    expect(readings.reduce((sum, { joules }) => sum + joules!, 0)).toBeCloseTo(seconds + 0.5, 6)
    const lengths = new Set(readings.slice(0, -1).map((reading) => reading.seconds))
    expect(lengths.size).toBeLessThanOrEqual(1)
  },
)

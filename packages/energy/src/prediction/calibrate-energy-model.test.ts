import { expect, test } from 'vitest'
import { EnergyMeter } from '../meter/energy-meter.js'
import { createReading } from '../reading/reading.js'
import type { EnergySource } from '../source.js'
import { calibrateEnergyModel, type Microbenchmark } from './calibrate-energy-model.js'

/** Joules that the benchmarks themselves put in, 10 W beside. */
class BenchmarkSource implements EnergySource {
  readonly name = 'bench'
  readonly component = 'cpu'
  readonly method = 'measured'
  joules = 0

  open(): ReturnType<EnergySource['open']> {
    const total = (): number => this.joules + (10 * performance.now()) / 1000
    return {
      usable: true,
      reasons: [],
      account: {
        sample: () => {},
        startSpan: () => {
          const [before, start] = [total(), performance.now()]
          return {
            read: () =>
              createReading({
                joules: total() - before,
                method: 'measured',
                source: 'bench',
                seconds: (performance.now() - start) / 1000,
              }),
          }
        },
      },
    }
  }
}

const wait = (): Promise<unknown> => new Promise((resolve) => setTimeout(resolve, 2))

test('benchmarks whose energy is known give their coefficients back', async () => {
  const source = new BenchmarkSource()
  await using meter = await EnergyMeter.open({ sources: [source] })
  const benchmark = (bytes: number, flops: number): Microbenchmark => ({
    bytes,
    flops,
    run: async () => {
      await wait()
      source.joules += 1e-9 * bytes + 1e-11 * flops
    },
  })
  const benchmarks = [benchmark(0, 0), benchmark(1e8, 0), benchmark(0, 1e10), benchmark(1e8, 1e10)]
  const model = await calibrateEnergyModel({ meter, benchmarks, seconds: 0.02 })
  expect(model.residuals).toHaveLength(12)
  // Milliseconds of overhead around each run belong to the 10 W.
  expect(model.joulesPerByte).toBeCloseTo(1e-9, 10)
  expect(model.joulesPerFlop).toBeCloseTo(1e-11, 12)
  expect(model.leaveOneOutError).toBeLessThan(0.2)
})

test('the benchmarks of this machine give a model with a band, as well known as its meter', async () => {
  await using meter = await EnergyMeter.open()
  const model = await calibrateEnergyModel({ meter, seconds: 0.03 })
  for (const coefficient of [model.watts, model.joulesPerByte, model.joulesPerFlop]) {
    expect(coefficient).toBeGreaterThanOrEqual(0)
  }
  expect(model.bytesPerSecond).toBeGreaterThan(1e7)
  expect(model.flopsPerSecond).toBeGreaterThan(1e7)
  const reading = model.predict({ bytes: 1e9, flops: 1e9 })
  expect(reading.method).toBe('estimated')
  expect(reading.low! < reading.joules! && reading.joules! < reading.high!).toBe(true)
  expect(reading.seconds).toBeGreaterThan(0)
})

test('an abort ends it between two runs, and what a benchmark throws comes out', async () => {
  await using meter = await EnergyMeter.open({ sources: [new BenchmarkSource()] })
  const controller = new AbortController()
  const aborting = { bytes: 0, flops: 0, run: () => controller.abort(new Error('enough')) }
  const run = calibrateEnergyModel({ meter, benchmarks: [aborting], signal: controller.signal })
  await expect(run).rejects.toThrow('enough')
  const error = new Error('mine')
  const failing = { bytes: 0, flops: 0, run: () => Promise.reject(error) }
  await expect(calibrateEnergyModel({ meter, benchmarks: [failing] })).rejects.toBe(error)
})

test.each([{ seconds: 0 }, { seconds: Number.NaN }, { benchmarks: [{}] as never }, { benchmarks: [] }])(
  '%o is refused',
  async (options) => {
    await using meter = await EnergyMeter.open({ sources: [new BenchmarkSource()] })
    await expect(calibrateEnergyModel({ meter, ...options })).rejects.toMatchObject({ code: 'ERR_BIO_VALUE' })
  },
)

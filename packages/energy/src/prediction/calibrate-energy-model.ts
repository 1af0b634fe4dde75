import { checkNumber, invalid } from '../check.js'
import type { EnergyMeter } from '../meter/energy-meter.js'
import { isThenable } from '../meter/measure-calls.js'
import { EnergyModel, type EnergySample, type Work } from './energy-model.js'
import { defaultMicrobenchmarks } from './microbenchmarks.js'

/** Something small whose work is known, to be run many times. */
export interface Microbenchmark extends Work {
  /** One run, of milliseconds; `bytes` and `flops` are of one. */
  readonly run: () => unknown
}

export interface CalibrateEnergyModelOptions {
  readonly meter: Pick<EnergyMeter, 'begin'>
  /** By default plain JavaScript on one thread: a sleep, a read stream, a multiply loop, both in turns. Give native kernels to predict those. */
  readonly benchmarks?: readonly Microbenchmark[]
  /** Each benchmark runs for this long, then for twice and three times as long; 0.2 s by default. */
  readonly seconds?: number
  readonly signal?: AbortSignal
}

/**
 * Fits an `EnergyModel` to this machine by microbenchmarks, in about 6 · `seconds` for each. A sensor that refreshes every 100 ms needs
 * `seconds` of 2 and more; other work on the machine is measured with them.
 *
 * @throws `ERR_BIO_VALUE` for options that are none; what the fit throws; the signal's reason, checked between runs; what a benchmark throws.
 */
export async function calibrateEnergyModel(options: CalibrateEnergyModelOptions): Promise<EnergyModel> {
  const { meter, benchmarks = defaultMicrobenchmarks(), seconds = 0.2, signal } = options
  checkNumber('calibrateEnergyModel', 'seconds', seconds, { minimum: 0.001, maximum: 3600 })
  for (const { run } of benchmarks) {
    if (typeof run !== 'function') throw invalid('calibrateEnergyModel', 'benchmarks with a run', run)
  }
  const samples: EnergySample[] = []
  for (const benchmark of benchmarks) {
    // Once unmeasured: compiled, and its memory there.
    await callFor(benchmark, 0, signal)
    for (const times of [1, 2, 3]) {
      const window = meter.begin('calibrate')
      const { calls, seconds: took } = await callFor(benchmark, times * seconds, signal)
      const energy = window.end()
      samples.push({ seconds: took, bytes: calls * benchmark.bytes, flops: calls * benchmark.flops, energy })
    }
  }
  return new EnergyModel(samples)
}

/** Calls until the time is over, at least once. */
async function callFor(
  { run }: Microbenchmark,
  seconds: number,
  signal: AbortSignal | undefined,
): Promise<{ calls: number; seconds: number }> {
  const start = performance.now()
  const elapsed = (): number => (performance.now() - start) / 1000
  let calls = 0
  do {
    signal?.throwIfAborted()
    const result = run()
    if (isThenable(result)) await result
    calls += 1
  } while (elapsed() < seconds)
  return { calls, seconds: elapsed() }
}

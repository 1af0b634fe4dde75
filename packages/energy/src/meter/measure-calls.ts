import { checkNumber, invalid } from '../check.js'
import { scaleReading } from '../reading/arithmetic.js'
import type { Reading } from '../reading/reading.js'
import type { EnergyWindow } from './energy-window.js'

export interface MeasureOptions {
  /** Calls that are made before and not counted; 0 by default. */
  readonly warmup?: number
  /** Calls that are counted; 1 by default. */
  readonly repeat?: number
  readonly signal?: AbortSignal
}

/** What measuring a function found. */
export interface Measurement {
  /** Of all counted calls together. */
  readonly energy: Reading
  /** `energy` over the number of counted calls. */
  readonly perCall: Reading
  /** Wall-clock seconds of all counted calls together. */
  readonly seconds: number
  /** Calls per second. */
  readonly throughput: number
}

/** What `measureCalls` needs of the meter: a window to begin, and a turn to sample when the event loop gets none. */
interface MeterHooks {
  readonly options: MeasureOptions
  readonly begin: () => EnergyWindow
  readonly tick: () => void
}

export async function measureCalls(
  fn: () => unknown,
  { options, begin, tick }: MeterHooks,
): Promise<Measurement> {
  const { warmup = 0, repeat = 1, signal } = options
  if (typeof fn !== 'function') throw invalid('EnergyMeter.measure', 'a function', fn)
  checkNumber('EnergyMeter.measure', 'warmup', warmup, { minimum: 0, whole: true })
  checkNumber('EnergyMeter.measure', 'repeat', repeat, { minimum: 1, whole: true })
  const callTimes = async (times: number): Promise<void> => {
    for (let call = 0; call < times; call++) {
      signal?.throwIfAborted()
      const result = fn()
      // A synchronous function is not awaited: a turn of the event loop would be measured with it.
      if (isThenable(result)) await result
      tick()
    }
  }
  await callTimes(warmup)
  using window = begin()
  const start = performance.now()
  await callTimes(repeat)
  const seconds = (performance.now() - start) / 1000
  const energy = window.end()
  return { energy, perCall: scaleReading(energy, 1 / repeat), seconds, throughput: repeat / seconds }
}

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
}

import { BioError } from '@bio/errors'
import { checkNumber, invalid } from '../check.js'
import { formatReading } from '../reading/format-reading.js'
import { createReading, type KnownReading, type Reading } from '../reading/reading.js'
import { nonNegativeLeastSquares } from './non-negative-least-squares.js'

/** What a computation moves and calculates. */
export interface Work {
  /** Bytes read and written in memory. */
  readonly bytes: number
  /** Floating-point operations; a multiply-add counts two. */
  readonly flops: number
}

/** Work that was done, and what it took. */
export interface EnergySample extends Work {
  readonly seconds: number
  readonly energy: Reading
}

/** Work to be done; without its seconds they are predicted too. */
export interface PlannedWork extends Work {
  readonly seconds?: number
}

type KnownSample = Omit<EnergySample, 'energy'> & { readonly energy: KnownReading }

/** π₀, εB and εF. */
type Coefficients = readonly [watts: number, joulesPerByte: number, joulesPerFlop: number]

/** A range around 1. */
interface Factors {
  readonly low: number
  readonly likely: number
  readonly high: number
}

const fewest = 4

/**
 * E = π₀·t + εB·bytes + εF·flops: predicts the energy of work before it runs; π₀, εB, εF ≥ 0 by least squares of the relative errors.
 *
 * With ê the prediction of a sample by a fit without it, a new one lies in [ê·min(low/ê), ê·max(high/ê)] over the samples, with their own
 * bounds: of n samples of its kind, about n − 1 in n + 1 do. Work of another kind (other precision, threads, temperature) may not.
 *
 * Where no time is given, t = max(bytes/B, flops/F) · slowness: a roofline from the best rates of the samples, B and F, and how much longer
 * they took than that. After Choi et al., IPDPS 2013; departures: no constraint on which term dominates, non-negative coefficients.
 *
 * @throws `ERR_BIO_VALUE` for fewer than 4 samples, ones that do not tell the coefficients apart, or numbers that are negative or infinite;
 * `ERR_BIO_ENERGY_UNKNOWN` for a sample whose energy is.
 *
 * @example
 * ```ts
 * import { createReading, EnergyModel } from '@bio/energy'
 *
 * const sample = (seconds: number, bytes: number, flops: number, joules: number) => {
 *   const energy = createReading({ joules, method: 'measured', source: 'rapl', seconds })
 *   return { seconds, bytes, flops, energy }
 * }
 * const model = new EnergyModel([
 *   sample(1, 0, 0, 5), // asleep: 5 W
 *   sample(2, 0, 0, 10),
 *   sample(1, 1e10, 0, 6), // 0.1 nJ per byte
 *   sample(2, 2e10, 0, 12),
 *   sample(1, 0, 1e10, 7), // 0.2 nJ per operation
 *   sample(2, 0, 2e10, 14),
 * ])
 * const { joules, method, seconds } = model.predict({ bytes: 5e9, flops: 5e9 })
 * console.log(joules?.toFixed(2), method, seconds) // => 4.00 estimated 0.5
 * ```
 */
export class EnergyModel {
  /** π₀: watts of the time itself. */
  readonly watts: number
  /** εB. */
  readonly joulesPerByte: number
  /** εF. */
  readonly joulesPerFlop: number
  /** B and F: the best rates among the samples, 0 where none did any. */
  readonly bytesPerSecond: number
  readonly flopsPerSecond: number
  /** (Ê − E)/E of each sample. */
  readonly residuals: readonly number[]
  /** The same, of a fit without the sample. */
  readonly leftOut: readonly number[]
  /** Mean |leftOut|: how far off a prediction is on average. */
  readonly leaveOneOutError: number
  readonly #samples: readonly KnownSample[]
  readonly #band: Factors
  readonly #slowness: Factors

  constructor(samples: readonly EnergySample[]) {
    this.#samples = checkSamples(samples)
    const [watts, joulesPerByte, joulesPerFlop] = fit(this.#samples)
    this.watts = watts
    this.joulesPerByte = joulesPerByte
    this.joulesPerFlop = joulesPerFlop
    this.bytesPerSecond = Math.max(...samples.map(({ bytes, seconds }) => bytes / seconds))
    this.flopsPerSecond = Math.max(...samples.map(({ flops, seconds }) => flops / seconds))
    this.residuals = this.#samples.map((sample) => this.#joules(sample) / sample.energy.joules - 1)
    const without = this.#samples.map((sample, left) =>
      evaluate(fit(this.#samples.filter((_, index) => index !== left)), sample),
    )
    if (without.some((joules) => !(joules > 0))) {
      throw invalid(
        'EnergyModel',
        'samples that tell time, bytes and operations apart even with one left out',
        samples,
        'Add samples at other lengths: of sleep, of memory reads, of arithmetic.',
      )
    }
    this.leftOut = this.#samples.map(({ energy }, index) => without[index]! / energy.joules - 1)
    this.leaveOneOutError = mean(this.leftOut.map(Math.abs))
    this.#band = {
      low: Math.min(1, ...this.#samples.map(({ energy }, index) => energy.low / without[index]!)),
      likely: 1,
      high: Math.max(1, ...this.#samples.map(({ energy }, index) => energy.high / without[index]!)),
    }
    this.#slowness = this.#findSlowness()
  }

  /**
   * The energy that the work would use, `estimated`, with a band; its `seconds` are those given or predicted.
   *
   * @throws `ERR_BIO_VALUE` for numbers that are negative or infinite, and for work of a kind that no sample did where no time is given.
   */
  predict(work: PlannedWork): Reading {
    checkWork('EnergyModel.predict', work)
    const { seconds } = work
    const time =
      seconds === undefined ? this.#seconds(work) : { low: seconds, likely: seconds, high: seconds }
    const joules = (side: keyof Factors): number =>
      this.#band[side] * this.#joules({ ...work, seconds: time[side] })
    const { energy } = this.#samples[0]!
    return createReading({
      source: 'energy-model',
      domains: energy.domains,
      boundary: energy.boundary,
      method: 'estimated',
      seconds: time.likely,
      joules: joules('likely'),
      low: joules('low'),
      high: joules('high'),
      reasons: [
        `predicted by a fit to ${this.#samples.length} samples of ${energy.source} (${energy.method}), ` +
          `off by ${(100 * this.leaveOneOutError).toPrecision(2)} % on average where one was left out`,
        ...(seconds === undefined ? ['its time was predicted too'] : []),
        ...energy.reasons,
      ],
    })
  }

  #joules(work: Work & { readonly seconds: number }): number {
    return evaluate([this.watts, this.joulesPerByte, this.joulesPerFlop], work)
  }

  #seconds(work: Work): Factors {
    for (const kind of ['bytes', 'flops'] as const) {
      if (work[kind] === 0 || this[`${kind}PerSecond`] > 0) continue
      throw invalid('EnergyModel.predict', `seconds of work with ${kind}, which no sample had`, undefined)
    }
    const roof = this.#roof(work)
    const { low, likely, high } = this.#slowness
    return { low: roof * low, likely: roof * likely, high: roof * high }
  }

  /** Seconds at the best rates. */
  #roof({ bytes, flops }: Work): number {
    const atRate = (amount: number, rate: number): number => (amount === 0 ? 0 : amount / rate)
    return Math.max(atRate(bytes, this.bytesPerSecond), atRate(flops, this.flopsPerSecond))
  }

  /** How much longer than the roof the samples took that did anything. */
  #findSlowness(): Factors {
    const ratios = this.#samples
      .filter(({ bytes, flops }) => bytes > 0 || flops > 0)
      .map((sample) => sample.seconds / this.#roof(sample))
      .toSorted((left, right) => left - right)
    return {
      low: ratios[0] ?? 1,
      likely: ratios[Math.floor((ratios.length - 1) / 2)] ?? 1,
      high: ratios.at(-1) ?? 1,
    }
  }
}

/** Rows divided by the energy: least squares of (Ê − E)/E. */
function fit(samples: readonly KnownSample[]): Coefficients {
  const rows = samples.map(({ seconds, bytes, flops, energy }) =>
    [seconds, bytes, flops].map((amount) => amount / energy.joules),
  )
  return nonNegativeLeastSquares(
    rows,
    samples.map(() => 1),
  ) as Coefficients
}

function evaluate(
  [watts, joulesPerByte, joulesPerFlop]: Coefficients,
  { seconds, bytes, flops }: Work & { readonly seconds: number },
): number {
  return watts * seconds + joulesPerByte * bytes + joulesPerFlop * flops
}

function checkSamples(samples: readonly EnergySample[]): readonly KnownSample[] {
  if (!Array.isArray(samples) || samples.length < fewest) {
    throw invalid('EnergyModel', `at least ${fewest} samples, one more than there are coefficients`, samples)
  }
  return samples.map((sample: EnergySample) => {
    checkWork('EnergyModel', sample)
    const { energy } = sample
    if (energy.joules === null) {
      throw new BioError('ERR_BIO_ENERGY_UNKNOWN', {
        operation: 'EnergyModel',
        expected: 'samples of known energy',
        received: formatReading(energy),
      })
    }
    checkNumber('EnergyModel', 'energy.joules', energy.joules, { minimum: 0, exclusive: true })
    checkNumber('EnergyModel', 'seconds', sample.seconds, { minimum: 0, exclusive: true })
    return { ...sample, energy }
  })
}

function checkWork(operation: string, { bytes, flops, seconds = 0 }: PlannedWork): void {
  for (const [name, value] of Object.entries({ bytes, flops, seconds })) {
    checkNumber(operation, name, value, { minimum: 0 })
  }
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

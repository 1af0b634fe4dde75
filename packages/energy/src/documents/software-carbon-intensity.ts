import { BioError } from '@bio/errors'
import { checkNumber, invalid } from '../check.js'
import { addRanges, scaleRange, toRange, type Range } from '../cost/range.js'
import type { Boundary, Method } from '../reading/reading.js'
import { toKilowattHours } from '../units.js'
import { describeEnergy, runFootprint, stageEnergy } from './figures.js'
import { checkedRecord, type RunRecord } from './run-record.js'

export interface SoftwareCarbonIntensityOptions {
  /** What the score is per, and how many of it the run did: `{ name: 'request', count: 1000 }`. */
  readonly functionalUnit: { readonly name: string; readonly count: number }
  /**
   * Grams that making the hardware emitted, the run's share: of all its emissions × the share of its life × the share of the machine.
   * The standard allows no leaving it out; 0 is an answer that you give.
   */
  readonly embodiedGrams: number | Range
}

/** A score with all that it rests on. */
export interface SoftwareCarbonIntensity {
  readonly standard: 'ISO/IEC 21031:2024'
  /** Grams of CO₂ equivalent per functional unit; null when the energy is unavailable. */
  readonly score: Range | null
  readonly functionalUnit: { readonly name: string; readonly count: number }
  /** E, of all phases and with PUE, or null. */
  readonly kilowattHours: Range | null
  /** I, location-based: the standard excludes market-based measures. */
  readonly gramsPerKilowattHour: Range
  readonly intensitySource: string
  /** M. */
  readonly embodiedGrams: Range
  readonly method: Method
  readonly boundary: Boundary
  /** How the energy is known, in a sentence. */
  readonly energy: string
  readonly run: string
}

/**
 * The Software Carbon Intensity of a run: SCI = ((E · I) + M) / R.
 *
 * E counts what `boundary` says; the standard means all hardware that was reserved. Market-based intensities of the run are not looked at.
 *
 * @throws `ERR_BIO_VALUE` for a run whose hash is not its own, a run without a location-based intensity, or a count ≤ 0, or embodied grams that are no range.
 *
 * @example
 * ```ts
 * import { createReading, createRunRecord, softwareCarbonIntensity } from '@bio/energy'
 *
 * const energy = createReading({ joules: 7.2e6, low: 6.8e6, high: 7.5e6, method: 'measured', source: 'rapl', seconds: 36_000 })
 * const run = createRunRecord({
 *   model: { name: 'digits', version: '1.0.0' },
 *   publisher: 'Example',
 *   task: { family: 'image classification' },
 *   hardware: [{ kind: 'cpu', name: 'EPYC 7763', count: 1 }],
 *   software: [{ name: 'node', version: '22.12.0' }],
 *   location: { country: 'DE' },
 *   intensity: { location: { basis: 'location', gramsPerKilowattHour: 300, region: 'DE', year: 2025, source: 'our grid operator' } },
 *   startedAt: '2026-03-01T08:00:00Z',
 *   endedAt: '2026-03-01T18:00:00Z',
 *   phases: [{ name: 'train', stage: 'training', energy }],
 * })
 * const { score } = softwareCarbonIntensity(run, { functionalUnit: { name: 'request', count: 1000 }, embodiedGrams: 12 })
 * console.log(score?.expected.toFixed(3)) // => 0.612
 * ```
 */
export function softwareCarbonIntensity(
  run: RunRecord,
  options: SoftwareCarbonIntensityOptions,
): SoftwareCarbonIntensity {
  const operation = 'softwareCarbonIntensity'
  checkedRecord(operation, run)
  const { functionalUnit } = options
  if (typeof functionalUnit?.name !== 'string') {
    throw invalid(operation, 'a functional unit with its name', functionalUnit)
  }
  checkNumber(operation, 'functionalUnit.count', functionalUnit.count, { minimum: 0, exclusive: true })
  const embodiedGrams = toRange(operation, 'embodiedGrams', options.embodiedGrams)
  const energy = stageEnergy(run, ['training', 'fine-tuning', 'inference', 'other'])!
  const footprint = runFootprint(run, energy)
  if (footprint === null) {
    throw new BioError('ERR_BIO_VALUE', {
      operation,
      expected: 'a run with a location-based carbon intensity',
      received: 'one without',
      hint: 'Give the record its intensity, such as { location: await gridIntensity({ region }) }.',
    })
  }
  const { grams, intensity } = footprint.location
  const pue = run.pue ?? 1
  return {
    standard: 'ISO/IEC 21031:2024',
    score: grams === null ? null : scaleRange(addRanges(grams, embodiedGrams), 1 / functionalUnit.count),
    functionalUnit,
    kilowattHours:
      energy.joules === null
        ? null
        : {
            low: toKilowattHours(Math.max(0, energy.low)) * pue,
            expected: toKilowattHours(energy.joules) * pue,
            high: toKilowattHours(energy.high) * pue,
          },
    gramsPerKilowattHour: toRange(operation, 'intensity', intensity.gramsPerKilowattHour),
    intensitySource: `${intensity.region} ${intensity.year}, ${intensity.source}`,
    embodiedGrams,
    method: energy.method,
    boundary: energy.boundary,
    energy: describeEnergy(run, energy),
    run: run.hash,
  }
}

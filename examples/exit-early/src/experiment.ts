import { calibrate, maximumProbability, type Calibration, type CalibrationBatch } from '@bio/batching'
import type { Classifier, ClassifierState } from '@bio/models'
import { quantize } from '@bio/precision'
import { Rng } from '@bio/tensor'
import { deal, pixelsPerDigit, toPatches, type Digits } from './digits.js'
import { measure, type Measured } from './measure.js'
import type { Settings } from './settings.js'
import { train } from './train.js'
import { batchMean, fullDepth, perSample, type Way } from './ways.js'

/** A threshold of a rule, and what it costs and gives. */
export interface Point {
  readonly threshold: number
  readonly measured: Measured
}

export interface Experiment {
  readonly settings: Settings
  readonly trainSeconds: number
  readonly calibration: Calibration
  /** The digits that were asked. */
  readonly test: Digits
  readonly full: Measured
  /** Every row for itself, at the calibrated threshold. */
  readonly calibrated: Measured
  /** The article's rule at the article's threshold. */
  readonly article: Measured
  /** The same at the threshold of its curve that is fastest while losing at most ε on the test digits: chosen with them in sight. */
  readonly tuned: Point
  readonly curves: { readonly perSample: readonly Point[]; readonly batchMean: readonly Point[] }
}

/** The confidence at which the article's batch leaves. */
export const articleThreshold = 0.95

/** Trains, calibrates on digits never trained on, and compares the ways on digits never seen at all. */
export async function experiment(
  digits: Digits,
  settings: Settings,
  {
    signal,
    progress,
  }: { signal: AbortSignal; progress: (step: string, share: number, note?: string) => void },
): Promise<Experiment> {
  const { batch, epsilon, repetitions, thresholds, counts } = settings
  const [known, heldOut, test] = deal(digits, { counts, rng: new Rng(settings.seed, 1) }) as [
    Digits,
    Digits,
    Digits,
  ]
  const start = performance.now()
  const trained = await train(known, settings, {
    signal,
    progress: (share, note) => progress('training', share, note),
  })
  const trainSeconds = (performance.now() - start) / 1000
  // The weights are packed once rather than at every product; every way below runs on the same packed model.
  using packed = quantize(trained, { weights: 'f32' })
  const { model } = packed
  const calibration = await calibrate({
    model,
    policy: maximumProbability,
    batches: () => heldOutBatches(model, heldOut, batch),
    epsilon,
    signal,
  })
  progress('calibrating', 1, `threshold ${calibration.threshold.toFixed(4)}`)

  const measured = (step: string, ways: readonly Way[], times: number): Promise<Measured[]> =>
    measure(ways, {
      digits: test,
      batch,
      repetitions: times,
      signal,
      progress: (share) => progress(step, share),
    })
  const rules = [perSample, batchMean]
  const points = await measured(
    'many thresholds',
    [fullDepth(model), ...rules.flatMap((rule) => thresholds.map((threshold) => rule(model, threshold)))],
    repetitions.curves,
  )
  const [samples, means] = rules.map((_, rule) =>
    thresholds.map((threshold, i) => ({ threshold, measured: points[1 + rule * thresholds.length + i]! })),
  ) as [Point[], Point[]]
  const { threshold } = fastestWithin(means, points[0]!.accuracy - epsilon)
  const [full, calibrated, article, tuned] = (await measured(
    'measuring',
    [
      fullDepth(model),
      perSample(model, calibration.threshold),
      batchMean(model, articleThreshold),
      batchMean(model, threshold),
    ],
    repetitions.ways,
  )) as [Measured, Measured, Measured, Measured]
  const curves = { perSample: samples, batchMean: means }
  return {
    settings,
    trainSeconds,
    calibration,
    test,
    full,
    calibrated,
    article,
    tuned: { threshold, measured: tuned },
    curves,
  }
}

/** The fastest point of at least that accuracy; the most careful where none is. */
function fastestWithin(curve: readonly Point[], accuracy: number): Point {
  const allowed = curve.filter(({ measured }) => measured.accuracy >= accuracy)
  return allowed.toSorted((a, b) => a.measured.best - b.measured.best)[0] ?? curve.at(-1)!
}

function* heldOutBatches(
  model: Classifier,
  { size, pixels, labels }: Digits,
  batch: number,
): Generator<CalibrationBatch<ClassifierState>> {
  for (let first = 0; first < size; first += batch) {
    const last = Math.min(size, first + batch)
    const x = toPatches(pixels.subarray(first * pixelsPerDigit, last * pixelsPerDigit))
    yield { state: model.embed(x), rows: last - first, labels: labels.subarray(first, last) }
  }
}

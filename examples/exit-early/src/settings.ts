/** What the example does; the test does the same with less. */
export interface Settings {
  readonly seed: number
  readonly model: {
    readonly dim: number
    readonly layers: number
    readonly heads: number
    readonly hidden: number
    /** After how many layers each head answers. */
    readonly exits: readonly number[]
  }
  readonly train: {
    readonly epochs: number
    readonly batch: number
    readonly learningRate: number
    /** Each picture is moved by up to so many pixels. */
    readonly shift: number
  }
  /** How many digits train, calibrate and test. */
  readonly counts: readonly [train: number, calibrate: number, test: number]
  /** Digits that are asked together. */
  readonly batch: number
  /** Share of the digits that may be right at full depth and wrong at their exit. */
  readonly epsilon: number
  /** Timed passes over the test digits: of the ways compared, and of each point of the curves. */
  readonly repetitions: { readonly ways: number; readonly curves: number }
  /** Thresholds of the curves, ascending. */
  readonly thresholds: readonly number[]
}

export const fullSettings: Settings = {
  seed: 1,
  model: { dim: 48, layers: 12, heads: 3, hidden: 96, exits: [2, 5, 12] },
  train: { epochs: 14, batch: 64, learningRate: 2e-3, shift: 2 },
  counts: [6500, 1500, 2000],
  batch: 16,
  epsilon: 0.01,
  repetitions: { ways: 15, curves: 5 },
  thresholds: [0.3, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.92, 0.94, 0.95, 0.97, 0.98, 0.99, 0.995, 0.999, 0.9999],
}

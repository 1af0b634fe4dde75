import { expect, test } from 'vitest'
import { binomialAtMost, binomialUpperBound, rowsNeeded } from './binomial.js'
import { calibrate } from './calibrate.js'
import { chooseThreshold, type ExitTrace } from './choose-threshold.js'
import { maximumProbability } from './exit-policy.js'

test('binomial tails and bounds are those of the tables', () => {
  expect(binomialAtMost(3, 10, 0.5)).toBeCloseTo(176 / 1024, 12)
  expect(binomialAtMost(0, 59, 0.05)).toBeCloseTo(0.95 ** 59, 12)
  expect(binomialAtMost(500_000, 1_000_000, 0.5)).toBeCloseTo(0.5 + 0.5 * 0.00079788, 6) // half the middle term beyond ½
  expect(binomialUpperBound(0, 100, 0.05)).toBeCloseTo(1 - 0.05 ** (1 / 100), 9)
  expect(binomialUpperBound(5, 100, 0.025)).toBeCloseTo(0.11283, 4) // Clopper–Pearson 95 % for 5 of 100
  expect(rowsNeeded(0.05, 0.05)).toBe(59)
})

/** A fixed sequence of numbers in [0, 1). */
function numbers(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

/** Rows whose first two heads are right about as often as they are confident, and whose last is right in 97 %. */
function population(rows: number, next: () => number): ExitTrace {
  const trace = { confidence: [[], [], []] as number[][], right: [[], [], []] as number[][] }
  for (let row = 0; row < rows; row++)
    for (const [k, skill] of [0.6, 0.85, 0.97].entries()) {
      const confidence = 1 - (1 - skill) * 2 * next()
      trace.confidence[k]!.push(confidence)
      trace.right[k]!.push(Number(next() < (k === 2 ? 0.97 : confidence ** 0.5)))
    }
  return trace
}

function pick(trace: ExitTrace, rows: readonly number[]): ExitTrace {
  const of = (table: readonly ArrayLike<number>[]): number[][] =>
    table.map((column) => rows.map((r) => column[r]!))
  return { confidence: of(trace.confidence), right: of(trace.right) }
}

/** Share of the rows that full depth gets right and the threshold loses. */
function risk({ confidence, right }: ExitTrace, threshold: number): number {
  const rows = right[0]!.length
  let lost = 0
  for (let row = 0; row < rows; row++) {
    const exit = confidence.findIndex((column, k) => k === 2 || column[row]! >= threshold)
    lost += Number(right[2]![row] === 1 && right[exit]![row] !== 1)
  }
  return lost / rows
}

test('over 200 random splits the promise is broken in no more than 5 %, and something is bought', () => {
  const next = numbers(7)
  const all = population(40_000, next)
  const candidates = maximumProbability.candidates
  for (const epsilon of [0.02, 0.05]) {
    let broken = 0
    let early = 0
    for (let split = 0; split < 200; split++) {
      const rows = Array.from({ length: 1500 }, () => Math.floor(next() * 40_000))
      const { threshold, exitShares } = chooseThreshold(pick(all, rows), {
        candidates,
        epsilon,
        delta: 0.05,
      })
      // The 40,000 rows are the population that the rows are drawn from: its risk is the true one.
      broken += Number(risk(all, threshold) > epsilon)
      early += 1 - exitShares[2]!
    }
    // 200 draws of a rate of at most 5 %: more than 16 would be seen in under 2 % of the runs of a sound procedure.
    expect(broken).toBeLessThanOrEqual(16)
    expect(early / 200).toBeGreaterThan(0.1)
  }
})

test('where every candidate loses just too much, one is accepted in 5 % of the draws and no more', () => {
  const [stages, rows, draws] = [11, 845, 1000]
  const promise = {
    candidates: Array.from({ length: stages - 1 }, (_, i) => 1 - i / 20),
    epsilon: 0.02,
    delta: 0.05,
  }
  // Ten lost of 845 are just accepted: the level that exact tests reach is nearly the 5 % allowed.
  expect(binomialAtMost(10, rows, promise.epsilon)).toBeGreaterThan(0.049)
  const next = numbers(11)
  let broken = 0
  for (let draw = 0; draw < draws; draw++) {
    // Candidate i lets every row leave at head stages − 2 − i, each wrong in a share ε of the rows, apart from the others.
    const trace: ExitTrace = {
      confidence: Array.from({ length: stages }, (_, k) =>
        new Float64Array(rows).fill(1 - (stages - 2 - k) / 20),
      ),
      right: Array.from({ length: stages }, (_, k) =>
        Uint8Array.from({ length: rows }, () => Number(k === stages - 1 || next() >= promise.epsilon)),
      ),
    }
    try {
      chooseThreshold(trace, promise)
      broken++
    } catch {}
  }
  // 1,000 draws of 5 %: 72 or more would be seen in 0.2 % of the runs, 30 or fewer in 0.1 %.
  expect(broken).toBeGreaterThan(30)
  expect(broken).toBeLessThan(72)
})

test('too few rows are refused with how many it takes', () => {
  const trace = population(50, numbers(1))
  const promise = { candidates: [0.9], epsilon: 0.05, delta: 0.05 }
  expect(() => chooseThreshold(trace, promise)).toThrow(
    expect.objectContaining({ code: 'ERR_BIO_CALIBRATION', message: expect.stringContaining('59') }),
  )
})

test('heads that are surely wrong are refused', () => {
  const ones = Array.from({ length: 400 }, () => 1)
  const zeros = ones.map(() => 0)
  const trace = { confidence: [ones, ones], right: [zeros, ones] }
  const promise = { candidates: [0.99], epsilon: 0.05, delta: 0.05 }
  expect(() => chooseThreshold(trace, promise)).toThrow(
    expect.objectContaining({ code: 'ERR_BIO_CALIBRATION', message: expect.stringContaining('400 of 400') }),
  )
})

/** Each row is a number; its sign is the class, and the heads see it through less and less noise. */
const model = {
  stages: 3,
  stage: (_: number, rows: readonly number[]) => rows,
  head: (k: number, rows: readonly number[]) =>
    Float32Array.from(rows.flatMap((x) => [0, (x + Math.sin(x * 1e4) * [2, 0.5, 0.01][k]!) * 4])),
  gather: (rows: readonly number[], index: Int32Array) => Array.from(index, (i) => rows[i]!),
}
const next = numbers(3)
const held = Array.from({ length: 20 }, () => Array.from({ length: 100 }, () => next() * 10 - 5))

test('calibrate finds a threshold on real runs, and says what it costs and buys', async () => {
  const labels = (rows: readonly number[]): number[] => rows.map((x) => Number(x > 0))
  const found = await calibrate({
    model,
    policy: maximumProbability,
    batches: () => held.map((state) => ({ state, rows: 100, labels: labels(state) })),
    epsilon: 0.02,
  })
  expect(found.rows).toBe(2000)
  expect(found.lostAtMost).toBeLessThanOrEqual(0.02)
  expect(found.accuracy.full - found.accuracy.early).toBeLessThanOrEqual(found.lost / 2000 + 1e-12)
  expect(found.meanStages).toBeLessThan(3)
  expect(found.exitShares.reduce((sum, share) => sum + share)).toBeCloseTo(1, 12)
  expect(found.speedup).toBeCloseTo(found.fullMs / found.earlyMs, 12)
})

test('without labels the promise is of agreement with full depth', async () => {
  const batches = () => held.map((state) => ({ state, rows: 100 }))
  const { accuracy } = await calibrate({ model, policy: maximumProbability, batches, epsilon: 0.02 })
  expect(accuracy.full).toBe(1)
  expect(accuracy.early).toBeGreaterThan(0.98)
})

test('a wrong count of labels, and shares outside (0, 1), are refused', async () => {
  const of = { model, policy: maximumProbability, batches: () => [{ state: [1], rows: 1, labels: [1, 2] }] }
  await expect(calibrate({ ...of, epsilon: 0.1 })).rejects.toMatchObject({ code: 'ERR_BIO_CONFIG' })
  await expect(calibrate({ ...of, epsilon: 0 })).rejects.toMatchObject({ code: 'ERR_BIO_CONFIG' })
  await expect(calibrate({ ...of, epsilon: 0.1, confidence: 1 })).rejects.toMatchObject({
    code: 'ERR_BIO_CONFIG',
  })
})

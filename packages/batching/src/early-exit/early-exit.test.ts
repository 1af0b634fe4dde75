import fc from 'fast-check'
import { expect, test } from 'vitest'
import { EarlyExit } from './early-exit.js'
import { entropy, margin, maximumProbability, patience, type ExitPolicy } from './exit-policy.js'
import type { StagedModel } from './staged-model.js'

/** Rows are lists of logits per stage; the model notes how many rows each stage saw. */
type Row = readonly (readonly number[])[]
function scripted(stages: number): StagedModel<readonly Row[]> & { seen: number[] } {
  const seen: number[] = []
  return {
    seen,
    stages,
    stage: (k, rows) => {
      seen[k] = rows.length
      return rows
    },
    head: (k, rows) => Float32Array.from(rows.flatMap((row) => [...row[k]!])),
    gather: (rows, index) => Array.from(index, (i) => rows[i]!),
  }
}

const sure = [9, 0]
const unsure = [0.1, 0]

test('a sure row leaves, the others stay as a smaller batch, and answers come back in order', async () => {
  const model = scripted(3)
  const exit = new EarlyExit({ model, policy: maximumProbability, threshold: 0.9 })
  const rows = [
    [unsure, unsure, [0, 1]],
    [sure, [0, 9], [0, 9]],
    [unsure, [0, 9], sure],
  ]
  const { predictions, exits, logits, classes } = await exit.run(rows, { rows: 3 })
  expect([...exits]).toEqual([2, 0, 1])
  expect([...predictions]).toEqual([1, 0, 1])
  expect([...logits]).toEqual([0, 1, 9, 0, 0, 9])
  expect(classes).toBe(2)
  expect(model.seen).toEqual([3, 2, 1])
})

test('stages after the last row left do not run', async () => {
  const model = scripted(4)
  await new EarlyExit({ model, policy: margin, threshold: 0.5 }).run([[sure, sure, sure, sure]], { rows: 1 })
  expect(model.seen).toEqual([1])
})

test('a threshold of Infinity runs to full depth and asks only the last head', async () => {
  const model = scripted(3)
  const asked: number[] = []
  const exit = new EarlyExit({
    model: {
      ...model,
      head: (k, rows) => {
        asked.push(k)
        return model.head(k, rows)
      },
    },
    policy: entropy,
    threshold: Infinity,
  })
  const { exits } = await exit.run([[sure, sure, unsure]], { rows: 1 })
  expect([...exits]).toEqual([2])
  expect(asked).toEqual([2])
})

test('patience leaves when as many heads in a row agree, and counts anew after a change of mind', async () => {
  const exit = new EarlyExit({ model: scripted(5), policy: patience, threshold: 2 })
  const [a, b] = [
    [1, 0],
    [0, 1],
  ]
  const rows = [
    [a, a, a, a, a],
    [a, b, a, a, a],
    [a, b, a, b, a],
  ]
  expect([...(await exit.run(rows, { rows: 3 })).exits]).toEqual([1, 3, 4])
})

test('entropy is 1 when certain and 0 when uniform, margin the lead over the next', () => {
  const say = (policy: ExitPolicy, probabilities: number[]): number =>
    policy.confidence({ probabilities: Float32Array.from(probabilities), prediction: 0, agreement: 1 })
  expect(say(entropy, [1, 0, 0, 0])).toBeCloseTo(1, 6)
  expect(say(entropy, [0.25, 0.25, 0.25, 0.25])).toBeCloseTo(0, 6)
  expect(say(margin, [0.6, 0.3, 0.1])).toBeCloseTo(0.3, 6)
  expect(say(maximumProbability, [0.6, 0.3, 0.1])).toBeCloseTo(0.6, 6)
})

test('a row of NaN never leaves early, is answered with −1, and spoils no other', async () => {
  const exit = new EarlyExit({ model: scripted(2), policy: maximumProbability, threshold: 0 })
  const broken = [Number.NaN, Number.NaN]
  const { predictions, exits } = await exit.run(
    [
      [broken, broken],
      [sure, sure],
    ],
    { rows: 2 },
  )
  expect([...predictions]).toEqual([-1, 0])
  expect([...exits]).toEqual([1, 0])
})

test('logits of another size, no rows, a threshold of NaN: an error that says so', async () => {
  const model = scripted(2)
  const short = { ...model, head: () => new Float32Array(3) }
  await expect(
    new EarlyExit({ model: short, policy: margin, threshold: 1 }).run([[sure], [sure]], { rows: 2 }),
  ).rejects.toMatchObject({ code: 'ERR_BIO_OUTPUT_COUNT' })
  await expect(
    new EarlyExit({ model, policy: margin, threshold: 1 }).run([], { rows: 0 }),
  ).rejects.toMatchObject({ code: 'ERR_BIO_CONFIG' })
  expect(() => new EarlyExit({ model, policy: margin, threshold: Number.NaN })).toThrow(
    expect.objectContaining({ code: 'ERR_BIO_CONFIG' }),
  )
})

test('an abort between stages ends the run with its reason', async () => {
  const controller = new AbortController()
  const model = scripted(3)
  const exit = new EarlyExit({
    model: {
      ...model,
      stage: (k, rows) => {
        if (k === 1) controller.abort(new Error('enough'))
        return model.stage(k, rows)
      },
    },
    policy: margin,
    threshold: 2,
  })
  await expect(exit.run([[unsure, unsure, unsure]], { rows: 1, signal: controller.signal })).rejects.toThrow(
    'enough',
  )
  expect(model.seen).toEqual([1, 1])
})

test('any batch gives each row what it gets alone, whatever the policy', async () => {
  const stages = 4
  const row = fc.array(fc.array(fc.float({ min: -8, max: 8 }), { minLength: 3, maxLength: 3 }), {
    minLength: stages,
    maxLength: stages,
  })
  await fc.assert(
    fc.asyncProperty(
      fc.array(row, { minLength: 1, maxLength: 9 }),
      fc.constantFrom(maximumProbability, entropy, margin, patience),
      fc.double({ min: 0, max: 3, noNaN: true }),
      async (rows, policy, threshold) => {
        const exit = new EarlyExit({ model: scripted(stages), policy, threshold })
        const together = await exit.run(rows, { rows: rows.length })
        for (const [i, alone] of rows.entries()) {
          const { logits, predictions, exits } = await exit.run([alone], { rows: 1 })
          expect(together.exits[i]).toBe(exits[0])
          expect(together.predictions[i]).toBe(predictions[0])
          expect(together.logits.slice(i * 3, i * 3 + 3)).toEqual(logits)
        }
      },
    ),
  )
})

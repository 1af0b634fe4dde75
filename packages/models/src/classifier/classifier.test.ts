import { quantize } from '@bio/precision'
import { AdamW, crossEntropy, fromData, randn, Rng, type Tensor } from '@bio/tensor'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { classifierOracle } from '../testing/classifier-oracle.js'
import { Classifier } from './classifier.js'
import type { ClassifierState } from './classifier-state.js'
import { classifierConfig } from './config.js'

/** Grouped key heads, widths that are no multiple of a vector, exits unevenly apart. */
const config = classifierConfig({
  features: 5,
  classes: 3,
  dim: 24,
  layers: 4,
  heads: 4,
  kvHeads: 2,
  hidden: 20,
  exits: [1, 4],
})
const model = new Classifier(config, { rng: new Rng(1) })
const length = 19

/** Sequences padded to `length` with what no sum survives. */
function padded(lengths: readonly number[], seed: number): Tensor {
  const x = new Float32Array(lengths.length * length * 5).fill(Number.NaN)
  lengths.forEach((count, row) =>
    x.set(randn([count * 5], { rng: new Rng(seed, row) }).data, row * length * 5),
  )
  return fromData(x, [lengths.length, length, 5])
}

/** One row of a padded batch, without its padding. */
const alone = (x: Tensor, row: number, count: number): Tensor => x.narrow(0, row, 1).narrow(1, 0, count)

/** What each head says of a batch that goes to full depth. */
function runAll(of: Classifier, state: ClassifierState): Float32Array[] {
  return Array.from({ length: of.stages }, (_, k) => {
    state = of.stage(k, state)
    return of.head(k, state)
  })
}

test('every head says what the formulas say in f64, padding or not', () => {
  const lengths = [19, 7, 7, 1]
  const x = padded(lengths, 3)
  const logits = model.forward(x, { lengths }).map((head) => head.toArray() as number[][])
  lengths.forEach((count, row) => {
    const sequence = alone(x, row, count).reshape([count, 5]).toArray() as number[][]
    classifierOracle(model, sequence).forEach((expected, k) =>
      expected.forEach((value, i) => expect(Math.abs(logits[k]![row]![i]! - value)).toBeLessThan(2e-5)),
    )
  })
})

test('stages and heads say what forward says, to the bit', () => {
  const x = randn([3, length, 5], { rng: new Rng(4) })
  const stepped = runAll(model, model.embed(x))
  expect(stepped).toEqual(model.forward(x).map((logits) => logits.data))
})

test.each(['f32', 'int8'] as const)(
  '%s: a row has the same bits alone, in any batch, under any padding, after any others have left',
  (weights) => {
    using quantized = quantize(model, { weights })
    const row = fc.record({ count: fc.integer({ min: 1, max: length }), stays: fc.boolean() })
    fc.assert(
      fc.property(fc.array(row, { minLength: 1, maxLength: 9 }), fc.nat(1000), (rows, seed) => {
        const lengths = rows.map(({ count }) => count)
        const x = padded(lengths, seed)
        const first = quantized.model.stage(0, quantized.model.embed(x, { lengths }))
        const said = quantized.model.head(0, first)
        const stay = Int32Array.from(rows.flatMap(({ stays }, i) => (stays ? [i] : [])))
        const last =
          stay.length === 0
            ? undefined
            : quantized.model.head(1, quantized.model.stage(1, quantized.model.gather(first, stay)))
        rows.forEach(({ count, stays }, i) => {
          const own = runAll(quantized.model, quantized.model.embed(alone(x, i, count)))
          expect(said.subarray(i * 3, i * 3 + 3)).toEqual(own[0])
          const at = stay.indexOf(i) * 3
          if (stays) expect(last!.subarray(at, at + 3)).toEqual(own[1])
        })
      }),
      { numRuns: 25 },
    )
  },
)

test('a row of NaN spoils no other', () => {
  const x = randn([3, length, 5], { rng: new Rng(5) })
  const clean = runAll(model, model.embed(x))
  ;(x.data as Float32Array)[length * 5 + 2] = Number.NaN
  runAll(model, model.embed(x)).forEach((logits, k) => {
    expect(logits[3]).toBeNaN()
    expect([...logits.subarray(0, 3), ...logits.subarray(6)]).toEqual([
      ...clean[k]!.subarray(0, 3),
      ...clean[k]!.subarray(6),
    ])
  })
})

test('gradients of a padded batch are those of its rows one by one', () => {
  const lengths = [4, 9, 9]
  const x = padded(lengths, 6)
  const gradient = (run: () => Tensor): Map<string, Float32Array> => {
    model.zeroGrad()
    run().backward()
    const found = model
      .namedParameters()
      .map(([name, { grad }]) => [name, (grad!.data as Float32Array).slice()] as const)
    model.zeroGrad()
    return new Map(found)
  }
  const loss = (logits: readonly Tensor[], y: readonly number[]): Tensor =>
    logits
      .map((head) => crossEntropy(head, fromData(Int32Array.from(y)), { reduction: 'sum' }))
      .reduce((sum, of) => sum.add(of))
  const together = gradient(() => loss(model.forward(x, { lengths }), [0, 1, 2]))
  const single = lengths.map((count, row) => gradient(() => loss(model.forward(alone(x, row, count)), [row])))
  for (const [name, values] of together)
    values.forEach((value, i) => {
      const sum = single.reduce((total, of) => total + of.get(name)![i]!, 0)
      expect(Math.abs(value - sum), name).toBeLessThan(1e-4)
    })
})

test('a few steps of training teach every head', () => {
  const learner = new Classifier(config, { rng: new Rng(2) })
  const optimizer = new AdamW(learner.parameters(), { lr: 3e-3 })
  const x = randn([24, 6, 5], { rng: new Rng(7) })
  const y = fromData(Int32Array.from({ length: 24 }, (_, row) => row % 3))
  const step = (): number[] => {
    const losses = learner.forward(x).map((logits) => crossEntropy(logits, y))
    const values = losses.map((loss) => loss.item())
    losses.reduce((sum, loss) => sum.add(loss)).backward()
    optimizer.step()
    optimizer.zeroGrad()
    return values
  }
  let last = step()
  for (const value of last) expect(value).toBeGreaterThan(0.9)
  for (let i = 0; i < 80; i++) last = step()
  for (const value of last) expect(value).toBeLessThan(0.1)
})

test.each([
  [{ exits: [] }],
  [{ exits: [2, 1, 4] }],
  [{ exits: [1, 1, 4] }],
  [{ exits: [0, 4] }],
  [{ exits: [1, 3] }],
  [{ exits: [1.5, 4] }],
  [{ headDim: 3 }],
  [{ kvHeads: 3 }],
  [{ layers: 0, exits: [0] }],
  [{ classes: Number.NaN }],
])('a shape that no classifier has is refused: %o', (change) => {
  const refusal = expect.objectContaining({ code: 'ERR_BIO_CONFIG' }) as Error
  expect(() => classifierConfig({ ...config, ...change })).toThrow(refusal)
  expect(() => new Classifier({ ...config, ...change }, { rng: new Rng(1) })).toThrow(refusal)
})

test.each([
  [[2, 3], undefined],
  [[2, 3, 4], undefined],
  [[0, 3, 5], undefined],
  [[2, 0, 5], undefined],
  [[2, 3, 5], [3]],
  [
    [2, 3, 5],
    [3, 0],
  ],
  [
    [2, 3, 5],
    [3, 4],
  ],
  [
    [2, 3, 5],
    [3, 1.5],
  ],
  [
    [2, 3, 5],
    [Number.NaN, 1],
  ],
])('x %o with lengths %o is refused', (shape, lengths) => {
  const x = fromData(new Float32Array(shape.reduce((size, of) => size * of)), shape)
  const options = lengths === undefined ? {} : { lengths }
  const refusal = expect.objectContaining({ code: 'ERR_BIO_SHAPE' }) as Error
  expect(() => model.embed(x, options)).toThrow(refusal)
  expect(() => model.forward(x, options)).toThrow(refusal)
})

test('ids are no features', () => {
  const ids = fromData(new Int32Array(30), [2, 3, 5])
  for (const lengths of [undefined, [1, 3]])
    expect(() => model.embed(ids, lengths === undefined ? {} : { lengths })).toThrow(
      expect.objectContaining({ code: 'ERR_BIO_DTYPE' }) as Error,
    )
})

test('stages and rows that are not there are refused', () => {
  const state = model.embed(randn([2, 3, 5], { rng: new Rng(8) }))
  const refusal = expect.objectContaining({ code: 'ERR_BIO_INDEX' }) as Error
  for (const k of [-1, 2, 0.5, Number.NaN]) {
    expect(() => model.stage(k, state)).toThrow(refusal)
    expect(() => model.head(k, state)).toThrow(refusal)
  }
  for (const row of [-1, 2]) expect(() => model.gather(state, Int32Array.of(0, row))).toThrow(refusal)
})

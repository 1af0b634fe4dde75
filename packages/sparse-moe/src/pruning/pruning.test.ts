import { AdamW, Linear, mseLoss, noGrad, randn, Rng, Sequential, tensor } from '@bio/tensor'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { pruneWeights, sparsify } from '../index.js'

const rng = (): Rng => new Rng(5)
const zerosOf = (layer: Linear): number =>
  (layer.weight.data as Float32Array).filter((weight) => weight === 0).length

test('the share of zeros is exact, blocks go whole, and none that stays is weaker than one that went', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 40 }),
      fc.integer({ min: 1, max: 20 }),
      fc.constantFrom(1, 4, 16),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (rows, columns, block, zeros) => {
        const layer = new Linear(columns, rows, { rng: rng() })
        const before = (layer.weight.data as Float32Array).slice()
        const { layers } = pruneWeights(layer, { zeros, block: block as 1 | 4 | 16 })
        const after = layer.weight.data as Float32Array
        const [gone, stayed]: [number[], number[]] = [[], []]
        for (let first = 0; first < rows; first += block) {
          for (let column = 0; column < columns; column++) {
            const at = Array.from(
              { length: Math.min(block, rows - first) },
              (_, i) => (first + i) * columns + column,
            )
            const strength = at.reduce((sum, i) => sum + before[i]! ** 2, 0)
            const left = at.filter((i) => after[i] !== 0)
            expect([0, at.length]).toContain(left.length)
            for (const i of left) expect(after[i]).toBe(before[i])
            ;(left.length === 0 ? gone : stayed).push(strength)
          }
        }
        expect(gone.length).toBe(Math.round(zeros * (gone.length + stayed.length)))
        expect(Math.max(0, ...gone)).toBeLessThanOrEqual(Math.min(Infinity, ...stayed))
        expect(layers).toEqual([{ path: '', zeros: zerosOf(layer), weights: rows * columns }])
      },
    ),
  )
})

test('what was pruned stays 0 while training goes on, and the rest learns', () => {
  const model = new Sequential(new Linear(16, 32, { rng: rng() }), new Linear(32, 4, { rng: rng() }))
  const pruning = pruneWeights(model, { zeros: 0.5 })
  const optimizer = new AdamW(model.parameters(), { lr: 1e-2 })
  const [x, y] = [randn([64, 16], { rng: rng() }), randn([64, 4], { rng: rng() })]
  const losses = Array.from({ length: 60 }, () => {
    const loss = mseLoss(model.forward(x), y)
    loss.backward()
    optimizer.step()
    optimizer.zeroGrad()
    pruning.apply()
    return loss.item()
  })
  expect(losses.at(-1)!).toBeLessThan(losses[0]! * 0.9)
  expect(model.layers.map((layer) => zerosOf(layer as Linear))).toEqual([256, 64])
})

test.each(['auto', 'dense', 'csr', '4x1', '16x1'] as const)(
  '%s: a sparse model computes what the pruned one does',
  (format) => {
    const model = new Sequential(
      new Linear(40, 70, { rng: rng() }),
      new Linear(70, 9, { rng: rng(), bias: false }),
    )
    pruneWeights(model, { zeros: 0.8 })
    using sparse = sparsify(model, { format })
    for (const m of [1, 3, 20]) {
      const x = randn([m, 40], { rng: rng() })
      const [found, truth] = noGrad(() => [sparse.model.forward(x), model.forward(x)])
      expect(found.shape).toEqual(truth.shape)
      ;(truth.data as Float32Array).forEach((value, i) => expect(found.data[i]).toBeCloseTo(value, 4))
    }
    expect(sparse.layers.map(({ path }) => path)).toEqual(['layers.0', 'layers.1'])
  },
)

test('zeros save memory, and the original keeps its weights', () => {
  const layer = new Linear(256, 256, { rng: rng() })
  pruneWeights(layer, { zeros: 0.9, block: 16 })
  using sparse = sparsify(layer, { format: '16x1' })
  const [{ bytes, originalBytes }] = [sparse.layers[0]!]
  expect(originalBytes).toBe(4 * 65536)
  expect(bytes).toBeLessThan(0.12 * originalBytes)
  expect(layer.weight.size).toBe(65536)
})

test('bad options, weights and inputs are refused, and nothing is pruned', () => {
  const layer = new Linear(4, 4, { rng: rng() })
  const code = (run: () => unknown): unknown => {
    try {
      return run()
    } catch (error) {
      return (error as { code?: unknown }).code
    }
  }
  for (const options of [{ zeros: -0.1 }, { zeros: 1.1 }, { zeros: NaN }, { zeros: 0.5, block: 3 as 4 }])
    expect(code(() => pruneWeights(layer, options))).toBe('ERR_BIO_CONFIG')
  expect(code(() => pruneWeights(layer, { zeros: 0.5, include: () => false }))).toBe('ERR_BIO_CONFIG')
  expect(code(() => sparsify(layer, { include: () => false }))).toBe('ERR_BIO_CONFIG')
  expect(code(() => sparsify(layer, { format: 'coo' as 'csr' }))).toBe('ERR_BIO_VALUE')
  using sparse = sparsify(layer, { format: 'csr' })
  expect(code(() => sparse.model.forward(tensor([1, 2, 3, 4])))).toBe('ERR_BIO_GRADIENT')
  expect(code(() => noGrad(() => sparse.model.forward(tensor([1, 2, 3]))))).toBe('ERR_BIO_SHAPE')
  sparse.dispose()
  expect(code(() => noGrad(() => sparse.model.forward(tensor([1, 2, 3, 4]))))).toBe('ERR_BIO_DISPOSED')
  layer.weight.data[7] = NaN
  expect(code(() => pruneWeights(layer, { zeros: 0.5 }))).toBe('ERR_BIO_VALUE')
  expect(zerosOf(layer)).toBe(0)
})

import { getKernels, type PackedMatrix } from '@bio/kernels'
import {
  Embedding,
  gatherRows,
  GroupedLinear,
  Linear,
  Module,
  noGrad,
  randn,
  Rng,
  tensor,
  type Tensor,
} from '@bio/tensor'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { PackedGroupedLinear, PackedLinear, quantize, type WeightFormat } from './index.js'

const rng = new Rng(11)
const formats: WeightFormat[] = ['f32', 'bf16', 'int8', 'int4']
const offsets = Int32Array.of(0, 3, 3, 5)

/** One of each layer that is packed, one that is not, and a layer in two places. */
class Model extends Module {
  readonly up: Linear = new Linear(64, 48, { rng })
  readonly down: Linear = new Linear(48, 8, { bias: false, rng })
  readonly experts: GroupedLinear = new GroupedLinear(3, 64, 40, { rng })
  readonly embedding: Embedding = new Embedding(10, 64, { rng })
  readonly again: Linear[] = [this.up]

  forward(x: Tensor): Tensor {
    return this.down.forward(this.up.forward(x).relu())
  }
}

function values(x: Tensor): number[] {
  return [...(x.data as Float32Array)]
}

const x = randn([5, 64], { rng })

test('f32 computes what the model computes', () => {
  const model = new Model()
  const { model: packed } = quantize(model, { weights: 'f32' })
  const expected = noGrad(() => values(model.forward(x)))
  noGrad(() => values(packed.forward(x))).forEach((value, i) => expect(value).toBeCloseTo(expected[i]!, 5))
})

test.each([
  ['bf16', 0.01],
  ['int8', 0.03],
  ['int4', 0.25],
] as const)('%s computes nearly what the model computes', (weights, tolerance) => {
  const model = new Model()
  const { model: packed } = quantize(model, { weights })
  for (const run of [(m: Model) => m.forward(x), (m: Model) => m.experts.forward(x, offsets)]) {
    const expected = noGrad(() => values(run(model)))
    const found = noGrad(() => values(run(packed)))
    const distance = Math.hypot(...found.map((value, i) => value - expected[i]!)) / Math.hypot(...expected)
    expect(distance).toBeGreaterThan(0)
    expect(distance).toBeLessThan(tolerance)
  }
})

test.each(formats)('a row has the same bits alone and in a batch in %s', (weights) => {
  const { model } = quantize(new Model(), { weights })
  const rows = Array.from({ length: 5 }, (_, row) => (x.data as Float32Array).slice(row * 64, (row + 1) * 64))
  const run = (some: Float32Array[]): number[] => {
    const batch = tensor(Float32Array.from(some.flatMap((row) => [...row])), { shape: [some.length, 64] })
    return noGrad(() => values(model.forward(batch)))
  }
  const alone = rows.map((row) => run([row]))
  fc.assert(
    fc.property(fc.array(fc.nat(4), { minLength: 1, maxLength: 9 }), (picks) => {
      expect(run(picks.map((pick) => rows[pick]!))).toEqual(picks.flatMap((pick) => alone[pick]!))
    }),
    { numRuns: 20 },
  )
})

test.each(formats)('experts in %s compute what each would alone', (weights) => {
  const { model } = quantize(new Model(), { weights })
  const together = noGrad(() => values(model.experts.forward(x, offsets)))
  for (let row = 0; row < 5; row++) {
    const expert = row < 3 ? 0 : 2
    const one = tensor((x.data as Float32Array).slice(row * 64, (row + 1) * 64), { shape: [1, 64] })
    const mine = Int32Array.from(offsets, (_, e) => (e > expert ? 1 : 0))
    expect(noGrad(() => values(model.experts.forward(one, mine)))).toEqual(
      together.slice(row * 40, (row + 1) * 40),
    )
  }
})

test.each(formats)('%s experts take rows by index as if they were gathered', (weights) => {
  const { model } = quantize(new Model(), { weights })
  const index = Int32Array.of(3, 0, 0, 2, 3)
  noGrad(() => {
    const gathered = model.experts.forward(gatherRows(x, index), offsets)
    expect(values(model.experts.forward(x, offsets, index))).toEqual(values(gathered))
  })
})

test('the model stays as it is and shares what is not packed', () => {
  const model = new Model()
  const before = Object.entries(model.stateDict()).map(([name, { data }]) => [name, [...data]])
  const { model: packed } = quantize(model, { weights: 'int4' })
  expect(Object.entries(model.stateDict()).map(([name, { data }]) => [name, [...data]])).toEqual(before)
  expect(model.up).toBeInstanceOf(Linear)
  expect(packed).toBeInstanceOf(Model)
  expect(packed.up).toBeInstanceOf(PackedLinear)
  expect(packed.experts).toBeInstanceOf(PackedGroupedLinear)
  expect(packed.embedding.weight).toBe(model.embedding.weight)
  expect(packed.up.bias).toBe(model.up.bias)
  expect([packed.up.inFeatures, packed.up.outFeatures]).toEqual([64, 48])
  expect(packed.parameters()).toEqual([model.up.bias, model.embedding.weight])
})

test('the report counts each layer once, scales included, and names the format it has', () => {
  const { model, report } = quantize(new Model(), { weights: 'int4' })
  expect(
    report.layers.map(({ path, weights, bytes, originalBytes }) => [path, weights, bytes, originalBytes]),
  ).toEqual([
    ['up', 'int4', 48 * (64 / 2 + 2 * 4), 48 * 64 * 4],
    ['down', 'int8', 8 * (48 + 4), 8 * 48 * 4], // 48 columns are no whole groups of 32
    ['experts', 'int4', 3 * 40 * (64 / 2 + 2 * 4), 3 * 40 * 64 * 4],
  ])
  expect(report.bytes).toBe(48 * 40 + 8 * 52 + 120 * 40)
  expect(report.originalBytes).toBe(48 * 64 * 4 + 8 * 48 * 4 + 120 * 64 * 4)
  expect(model.again[0]).toBe(model.up)
})

test('the errors in the report are those of the weights that the kernels read', () => {
  const model = new Model()
  const { model: packed, report } = quantize(model, { weights: 'int8' })
  const unpacked = new Float32Array(64 * 48)
  getKernels().unpack(unpacked, (packed.up as unknown as PackedLinear).packed)
  const errors = values(model.up.weight).map((weight, i) => Math.abs(weight - unpacked[i]!))
  expect(report.layers[0]!.maxError).toBe(Math.max(...errors))
})

test('include chooses by path and module', () => {
  const seen: string[] = []
  const { model, report } = quantize(new Model(), {
    weights: 'int8',
    include: (path, module) => {
      seen.push(path)
      return module instanceof GroupedLinear
    },
  })
  expect(report.layers.map(({ path }) => path)).toEqual(['experts'])
  expect(model.up).toBeInstanceOf(Linear)
  expect([...new Set(seen)]).toEqual(expect.arrayContaining(['up', 'down', 'experts']))
  expect(seen).not.toContain('embedding')
})

test.each([
  [32, 4 * (256 / 2 + 8 * 4)],
  [128, 4 * (256 / 2 + 2 * 4)],
] as const)('groups of %i columns have a scale each', (groupSize, bytes) => {
  const model = new Linear(256, 4, { rng })
  expect(quantize(model, { weights: 'int4', groupSize }).report.bytes).toBe(bytes)
})

test('asking for a gradient is an error, not a silent zero', () => {
  const { model } = quantize(new Model(), { weights: 'int8' })
  const wanting = tensor(new Float32Array(64), { shape: [1, 64], requiresGrad: true })
  const gradient = expect.objectContaining({ code: 'ERR_BIO_GRADIENT' })
  expect(() => model.up.forward(wanting)).toThrowError(gradient)
  expect(() => model.experts.forward(wanting, Int32Array.of(0, 1, 1, 1))).toThrowError(gradient)
  expect(() => model.up.forward(x)).toThrowError(gradient) // its bias wants one
  expect(model.down.forward(randn([1, 48], { rng })).shape).toEqual([1, 8]) // nothing wants one
  expect(noGrad(() => model.up.forward(wanting)).shape).toEqual([1, 48])
})

test('after dispose every packed layer refuses, and disposing again does nothing', () => {
  const quantized = quantize(new Model(), { weights: 'int8' })
  quantized.dispose()
  quantized.dispose()
  const { model } = quantized
  const disposed = expect.objectContaining({ code: 'ERR_BIO_DISPOSED' })
  expect(() => noGrad(() => model.up.forward(x))).toThrowError(disposed)
  expect(() => noGrad(() => model.experts.forward(x, offsets))).toThrowError(disposed)
})

test('wrong input is refused', () => {
  const { model } = quantize(new Model(), { weights: 'int8' })
  const shape = expect.objectContaining({ code: 'ERR_BIO_SHAPE' })
  const narrow = randn([2, 63], { rng })
  expect(() => noGrad(() => model.up.forward(narrow))).toThrowError(shape)
  expect(() => model.experts.forward(narrow, offsets)).toThrowError(shape)
  expect(() => model.experts.forward(x, Int32Array.of(0, 3, 5))).toThrowError(shape)
})

test.each([
  { weights: 'int5' },
  { weights: undefined },
  { weights: 'int4', groupSize: 64 },
  { weights: 'int8', groupSize: 32 },
  { weights: 'int8', include: () => false },
])('%o is refused', (options) => {
  expect(() => quantize(new Model(), options as Parameters<typeof quantize>[1])).toThrowError(
    expect.objectContaining({ code: 'ERR_BIO_CONFIG' }),
  )
})

test('after an error nothing is held', () => {
  const model = new Model()
  ;(model.experts.weight.data as Float32Array)[0] = NaN // the last to be packed
  const kernels = getKernels()
  const { pack } = kernels
  const packed: PackedMatrix[] = []
  Object.assign(kernels, {
    pack: (...args: Parameters<typeof pack>) => {
      packed.push(pack.apply(kernels, args))
      return packed.at(-1)!
    },
  })
  try {
    expect(() => quantize(model, { weights: 'int8' })).toThrowError()
  } finally {
    Object.assign(kernels, { pack })
  }
  expect(packed.length).toBe(2)
  for (const matrix of packed) {
    const out = new Float32Array(matrix.rows * matrix.columns)
    expect(() => kernels.unpack(out, matrix)).toThrowError(
      expect.objectContaining({ code: 'ERR_BIO_DISPOSED' }),
    )
  }
})

test('a quantized model has nothing left to quantize', () => {
  const { model } = quantize(new Model(), { weights: 'int8' })
  expect(() => quantize(model, { weights: 'int4' })).toThrowError(
    expect.objectContaining({ code: 'ERR_BIO_CONFIG' }),
  )
})

test('a NaN weight is refused with its place', () => {
  const model = new Model()
  ;(model.down.weight.data as Float32Array)[5] = NaN
  expect(() => quantize(model, { weights: 'int4' })).toThrowError(
    expect.objectContaining({ code: 'ERR_BIO_VALUE', received: 'NaN in down at 5' }),
  )
})

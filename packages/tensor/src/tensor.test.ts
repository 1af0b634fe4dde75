import { isBioError } from '@bio/errors'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { fromHalf, toHalf } from './convert.js'
import {
  concat,
  dropout,
  embedding,
  fromData,
  full,
  gatherRows,
  groupedLinear,
  linear,
  ones,
  randn,
  Rng,
  rotary,
  stack,
  swiglu,
  swigluExperts,
  tensor,
  zeros,
  type Tensor,
} from './index.js'
import { attention } from './ops/attention.js'
import { crossEntropy, mseLoss } from './ops/loss.js'
import { rmsNorm } from './ops/norm.js'
import { scatterAddRows } from './ops/rows.js'

const code = (fn: () => unknown): unknown => {
  try {
    return fn()
  } catch (error) {
    return isBioError(error) ? error.code : error
  }
}

describe('making tensors', () => {
  test('nested arrays give shape and values, and come back', () => {
    const x = tensor([
      [1, 2, 3],
      [4, 5, 6],
    ])
    expect([x.shape, x.size, x.dtype]).toEqual([[2, 3], 6, 'f32'])
    expect(x.toArray()).toEqual([
      [1, 2, 3],
      [4, 5, 6],
    ])
    expect(tensor(3).toArray()).toBe(3)
    expect(tensor([1, 2, 3, 4], { shape: [2, 2], dtype: 'i32' }).toArray()).toEqual([
      [1, 2],
      [3, 4],
    ])
    expect(tensor(Uint8Array.of(1, 2)).dtype).toBe('u8')
    expect(zeros([0, 3]).toArray()).toEqual([])
    expect(tensor(Float64Array.of(0.5, 2)).toArray()).toEqual([0.5, 2])
    expect(tensor(Uint16Array.of(7)).toArray()).toEqual([7])
  })

  test('fromData shows the array itself; tensor and clone copy', () => {
    const data = Float32Array.of(1, 2)
    const shown = fromData(data)
    const copies = [tensor(data), shown.clone()]
    data[0] = 9
    expect(shown.toArray()).toEqual([9, 2])
    for (const copy of copies) expect(copy.toArray()).toEqual([1, 2])
  })

  test('bf16 and f16 round to nearest even and read as numbers', () => {
    expect(tensor([1.00390625, 1.01171875, -3], { dtype: 'bf16' }).toArray()).toEqual([1, 1.015625, -3])
    expect(full([2], 0.1, { dtype: 'f16' }).toArray()).toEqual([0.0999755859375, 0.0999755859375])
    expect(tensor([300, -5, 2.9]).to('u8').toArray()).toEqual([255, 0, 2])
    expect(
      tensor([2 ** 31 - 1], { dtype: 'i32' })
        .to('i8')
        .toArray(),
    ).toEqual([127])
  })

  test('every f16 comes back from f32 with its bits, NaN as NaN', () => {
    for (let bits = 0; bits < 65_536; bits++) {
      const value = fromHalf(bits)
      expect(Number.isNaN(value) ? 'NaN' : toHalf(value)).toBe(Number.isNaN(value) ? 'NaN' : bits)
    }
    fc.assert(
      fc.property(fc.float({ noNaN: true }), (value) => {
        const bits = toHalf(value)
        const error = Math.abs(fromHalf(bits) - value)
        const step = (direction: number): number =>
          Math.abs(fromHalf((bits & 0x8000) | ((bits & 0x7fff) + direction)) - value)
        if (Number.isFinite(fromHalf(bits))) {
          if ((bits & 0x7fff) > 0) expect(error).toBeLessThanOrEqual(step(-1))
          if ((bits & 0x7fff) < 0x7bff) expect(error).toBeLessThanOrEqual(step(1))
        } else expect(Math.abs(value)).toBeGreaterThanOrEqual(65_520)
      }),
    )
  })

  test.each<[string, () => unknown, string]>([
    ['ragged rows', () => tensor([[1, 2], [3]]), 'ERR_BIO_SHAPE'],
    ['mixed depth', () => tensor([[1], 2] as never), 'ERR_BIO_SHAPE'],
    ['words', () => tensor(['a'] as never), 'ERR_BIO_SHAPE'],
    ['too few values', () => tensor([1, 2, 3], { shape: [2, 2] }), 'ERR_BIO_SHAPE'],
    ['a negative dimension', () => zeros([-1]), 'ERR_BIO_SHAPE'],
    ['a fractional dimension', () => zeros([1.5]), 'ERR_BIO_SHAPE'],
    ['2³¹ values', () => zeros([2 ** 16, 2 ** 15]), 'ERR_BIO_SHAPE'],
    ['an unknown dtype', () => zeros([1], { dtype: 'f64' as never }), 'ERR_BIO_DTYPE'],
    ['a Float64Array', () => fromData(new Float64Array(1) as never), 'ERR_BIO_DTYPE'],
    ['bits without a dtype', () => fromData(new Uint16Array(1)), 'ERR_BIO_DTYPE'],
    ['ids that want gradients', () => zeros([1], { dtype: 'i32', requiresGrad: true }), 'ERR_BIO_DTYPE'],
    ['a fraction as an id', () => tensor([1.5], { dtype: 'i32' }), 'ERR_BIO_VALUE'],
    ['256 in u8', () => tensor([0, 256], { dtype: 'u8' }), 'ERR_BIO_VALUE'],
    ['NaN in i8', () => full([2], NaN, { dtype: 'i8' }), 'ERR_BIO_VALUE'],
    ['a conversion to an unknown dtype', () => zeros([1]).to('f64' as never), 'ERR_BIO_DTYPE'],
    ['numbers of an unknown dtype', () => tensor([1], { dtype: 'f64' as never }), 'ERR_BIO_DTYPE'],
    ['big integers', () => tensor(new BigInt64Array(1) as never), 'ERR_BIO_SHAPE'],
    ['item of two', () => zeros([2]).item(), 'ERR_BIO_SHAPE'],
  ])('%s are refused', (_, make, expected) => {
    expect(code(make)).toBe(expected)
  })
})

describe('operations refuse', () => {
  const x = (...shape: number[]): Tensor => ones(shape)
  const ids = tensor([0, 5], { dtype: 'i32' })
  const offsets = Int32Array.of(0, 2)
  test.each<[string, () => unknown, string]>([
    ['shapes that do not broadcast', () => x(2, 3).add(x(2)), 'ERR_BIO_SHAPE'],
    ['[n, 1] against [n, m]', () => x(2, 3).mul(x(2, 1)), 'ERR_BIO_SHAPE'],
    ['integers', () => x(2).add(ids), 'ERR_BIO_DTYPE'],
    ['inner sizes that differ', () => x(2, 3).matmul(x(2, 3)), 'ERR_BIO_SHAPE'],
    ['matrices of one dimension', () => x(3).matmul(x(3)), 'ERR_BIO_SHAPE'],
    ['batches that differ', () => x(2, 2, 2).matmul(x(3, 2, 2)), 'ERR_BIO_SHAPE'],
    ['a reshape to another size', () => x(2, 3).reshape([4]), 'ERR_BIO_SHAPE'],
    ['a reshape with two open sizes', () => x(2, 3).reshape([-1, -1]), 'ERR_BIO_SHAPE'],
    ['a dimension that is not there', () => x(2, 3).sum(2), 'ERR_BIO_SHAPE'],
    ['a range outside', () => x(2, 3).narrow(1, 2, 2), 'ERR_BIO_INDEX'],
    ['softmax of a scalar', () => x().softmax(), 'ERR_BIO_SHAPE'],
    ['linear of another width', () => linear(x(2, 3), x(4, 2)), 'ERR_BIO_SHAPE'],
    ['an id out of range', () => embedding(ids, x(3, 2)), 'ERR_BIO_INDEX'],
    ['ids in f32', () => embedding(x(2), x(3, 2)), 'ERR_BIO_DTYPE'],
    ['a target out of range', () => crossEntropy(x(2, 3), ids), 'ERR_BIO_INDEX'],
    ['as many targets as not rows', () => crossEntropy(x(3, 9), ids), 'ERR_BIO_SHAPE'],
    [
      'an unknown reduction',
      () => crossEntropy(x(2, 9), ids, { reduction: 'max' as never }),
      'ERR_BIO_VALUE',
    ],
    ['mse of two shapes', () => mseLoss(x(2), x(1, 2)), 'ERR_BIO_SHAPE'],
    ['a norm weight of another width', () => rmsNorm(x(2, 3), x(2), 1e-5), 'ERR_BIO_SHAPE'],
    ['a norm with ε = 0', () => rmsNorm(x(2, 3), x(3), 0), 'ERR_BIO_VALUE'],
    [
      'dropout of everything',
      () => dropout(x(2), { p: 1, rng: new Rng(0), training: true }),
      'ERR_BIO_VALUE',
    ],
    ['swiglu of an odd width', () => swiglu(x(2, 3)), 'ERR_BIO_SHAPE'],
    ['offsets that end early', () => groupedLinear(x(3, 2), x(1, 2, 2), offsets), 'ERR_BIO_INDEX'],
    ['offsets for other experts', () => groupedLinear(x(2, 2), x(2, 2, 2), offsets), 'ERR_BIO_SHAPE'],
    ['experts of two widths', () => swigluExperts(x(2, 2), x(1, 6, 2), x(1, 2, 2), offsets), 'ERR_BIO_SHAPE'],
    [
      'rows beside all experts',
      () => swigluExperts(x(3, 2), x(1, 4, 2), x(1, 2, 2), offsets),
      'ERR_BIO_INDEX',
    ],
    ['a row that is not there', () => gatherRows(x(2, 2), Int32Array.of(2)), 'ERR_BIO_INDEX'],
    ['a row to nowhere', () => scatterAddRows(x(1, 2), Int32Array.of(2), { rows: 2 }), 'ERR_BIO_INDEX'],
    [
      'positions for other tokens',
      () => rotary(x(1, 2, 1, 2), Int32Array.of(0), { theta: 1 }),
      'ERR_BIO_SHAPE',
    ],
    ['an odd head', () => rotary(x(1, 1, 1, 3), Int32Array.of(0), { theta: 1 }), 'ERR_BIO_VALUE'],
    [
      'heads that do not divide',
      () => attention(x(1, 1, 3, 2), x(1, 1, 2, 2), x(1, 1, 2, 2), { causal: true }),
      'ERR_BIO_SHAPE',
    ],
    [
      'attention without heads',
      () => attention(x(1, 1), x(1, 1), x(1, 1), { causal: true }),
      'ERR_BIO_SHAPE',
    ],
    ['nothing to join', () => concat([]), 'ERR_BIO_SHAPE'],
    ['parts of other widths', () => concat([x(1, 2), x(1, 3)]), 'ERR_BIO_SHAPE'],
    ['a stack of two shapes', () => stack([x(2), x(1, 2)]), 'ERR_BIO_SHAPE'],
  ])('%s', (_, run, expected) => {
    expect(code(run)).toBe(expected)
  })
})

test('empty tensors pass through', () => {
  const x = zeros([0, 3], { requiresGrad: true })
  const y = linear(x, ones([2, 3]), ones([2]))
    .relu()
    .add(1)
    .mul(ones([2]))
  expect(y.shape).toEqual([0, 2])
  y.sum().backward()
  expect(x.grad!.shape).toEqual([0, 3])
  expect(zeros([0]).mean().item()).toBeNaN()
  expect(zeros([2, 0]).sum(1).toArray()).toEqual([0, 0])
})

test('a row has the same bits alone and in a batch', () => {
  const rng = new Rng(2)
  const [x, w] = [randn([7, 33], { rng }), randn([5, 33], { rng })]
  const all = linear(x, w).softmax()
  for (let row = 0; row < 7; row++)
    expect(
      linear(x.narrow(0, row, 1), w)
        .softmax()
        .toArray(),
    ).toEqual(all.narrow(0, row, 1).toArray())
})

test('dropout zeroes a share of p, scales the rest, and does nothing out of training', () => {
  const x = ones([10_000])
  const y = dropout(x, { p: 0.25, rng: new Rng(3), training: true }).data
  const zeroed = y.filter((value) => value === 0).length
  expect(Math.abs(zeroed - 2500)).toBeLessThan(200)
  expect(new Set(y)).toEqual(new Set([0, Math.fround(1 / 0.75)]))
  expect(dropout(x, { p: 0.25, rng: new Rng(3), training: false })).toBe(x)
})

test('reshape fills in one size and shares memory', () => {
  const x = tensor([1, 2, 3, 4])
  const y = x.reshape([2, -1])
  y.data[0] = 7
  expect([y.shape, x.toArray()]).toEqual([
    [2, 2],
    [7, 2, 3, 4],
  ])
})

import { isBioError } from '@bio/errors'
import { describe, expect, test } from 'vitest'
import {
  AdamW,
  allocate,
  apply,
  crossEntropy,
  fromData,
  Linear,
  noGrad,
  ones,
  randn,
  Rng,
  SGD,
  tensor,
  type Tensor,
} from '../index.js'

const code = (fn: () => unknown): string | undefined => {
  try {
    fn()
  } catch (error) {
    if (isBioError(error)) return error.code
    throw error
  }
  return undefined
}
const parameter = (values: number[]): Tensor => tensor(values, { requiresGrad: true })

describe('backward', () => {
  test('adds to the gradients that are there', () => {
    const x = parameter([1, 2])
    x.mul(3).sum().backward()
    x.mul(4).sum().backward()
    expect(x.grad!.toArray()).toEqual([7, 7])
  })

  test('gives each path of a shared value its share', () => {
    const x = parameter([2, 3])
    const y = x.mul(x) // x²
    y.add(y).add(y.mul(x)).sum().backward() // 2x² + x³
    expect(x.grad!.toArray()).toEqual([4 * 2 + 3 * 4, 4 * 3 + 3 * 9])
  })

  test('gives the same tensor as both inputs twice the gradient', () => {
    const x = parameter([1, 2])
    x.add(x).sum().backward()
    expect(x.grad!.toArray()).toEqual([2, 2])
  })

  test('starts from a given gradient, which stays as it was', () => {
    const x = parameter([1, 2])
    const dy = tensor([10, 20])
    x.mul(2).relu().backward(dy)
    expect(x.grad!.toArray()).toEqual([20, 40])
    expect(dy.toArray()).toEqual([10, 20])
  })

  test('on a leaf gives it the gradient itself', () => {
    const x = parameter([5])
    x.backward()
    expect(x.grad!.item()).toBe(1)
  })

  test('passes through a graph deeper than the stack', () => {
    const x = parameter([1, 1])
    let y = x.mul(1)
    for (let i = 0; i < 30_000; i++) y = y.add(0)
    y.sum().backward()
    expect(x.grad!.toArray()).toEqual([1, 1])
  })

  test('stops at detach and at what noGrad computed', () => {
    const x = parameter([1, 2])
    const constant = noGrad(() => x.mul(10))
    x.mul(2).detach().mul(x).add(constant).sum().backward()
    expect(x.grad!.toArray()).toEqual([2, 4])
    expect(constant.requiresGrad).toBe(false)
  })

  test('shows NaN and infinities', () => {
    const x = parameter([0, -1])
    x.log().sum().backward()
    expect(x.grad!.toArray()).toEqual([Infinity, -1])
    const z = parameter([1, NaN])
    z.mul(2).sum().backward()
    expect(z.mul(2).sum().item()).toBeNaN()
  })
})

describe('memory after backward', () => {
  test('intermediate tensors are released, with a hint', () => {
    const x = parameter([1, 2])
    const y = x.mul(2)
    y.sum().backward()
    expect(code(() => y.toArray())).toBe('ERR_BIO_RELEASED')
    expect(() => y.data).toThrow(/keep\(\) or detach\(\)/)
    expect(code(() => y.add(1))).toBe('ERR_BIO_RELEASED')
  })

  test('leaves, the root, single values, kept and detached tensors survive', () => {
    const x = parameter([1, 2])
    const data = tensor([3, 4])
    const kept = x.mul(data).keep()
    const part = kept.sum()
    const outside = kept.mul(2).detach()
    const root = kept.exp().mul(part)
    root.backward(ones([2]))
    expect([x, data, kept, outside].map((t) => t.toArray())).toEqual([
      [1, 2],
      [3, 4],
      [3, 8],
      [6, 16],
    ])
    expect(root.toArray()).toHaveLength(2)
    expect(part.item()).toBe(11)
  })

  test('a view survives with what it shows', () => {
    const x = parameter([1, 2])
    const view = x.mul(2).reshape([2, 1]).keep()
    view.exp().sum().backward()
    expect(view.toArray()).toEqual([[2], [4]])
    const y = x.mul(2)
    const shown = y.reshape([2, 1])
    shown.sum().backward()
    expect(code(() => y.data)).toBe('ERR_BIO_RELEASED')
    expect(code(() => shown.data)).toBe('ERR_BIO_RELEASED')
  })

  test('a view of a leaf does not take the leaf with it', () => {
    const x = parameter([1, 2])
    x.reshape([2, 1]).mul(3).sum().backward()
    expect(x.toArray()).toEqual([1, 2])
  })

  test('zeroGrad recycles a gradient unless it is kept', () => {
    const x = parameter([1, 2])
    const optimizer = new SGD([x], { lr: 1 })
    x.mul(3).sum().backward()
    const lost = x.grad!
    optimizer.zeroGrad()
    expect(x.grad).toBeUndefined()
    expect(code(() => lost.data)).toBe('ERR_BIO_RELEASED')
    x.mul(3).sum().backward()
    const kept = x.grad!.keep()
    optimizer.zeroGrad()
    expect(kept.toArray()).toEqual([3, 3])
  })
})

describe('backward refuses', () => {
  test('a second pass through a graph', () => {
    const y = parameter([1, 2]).mul(2).sum()
    y.backward()
    expect(code(() => y.backward())).toBe('ERR_BIO_TAPE')
  })

  test('a graph whose trunk another backward consumed', () => {
    const trunk = parameter([1, 2]).mul(2).keep()
    trunk.sum().backward()
    const late = trunk.exp().sum()
    expect(code(() => late.backward())).toBe('ERR_BIO_TAPE')
  })

  test('several values without a gradient, and gradients of another shape or dtype', () => {
    const y = parameter([1, 2]).mul(2)
    expect(code(() => y.backward())).toBe('ERR_BIO_SHAPE')
    expect(code(() => y.backward(ones([3])))).toBe('ERR_BIO_SHAPE')
    expect(code(() => y.backward(ones([2], { dtype: 'i32' })))).toBe('ERR_BIO_SHAPE')
    y.backward(ones([2])) // the refusals left the graph whole
  })

  test('what was not recorded', () => {
    expect(code(() => tensor([1]).backward())).toBe('ERR_BIO_TAPE')
    expect(code(() => noGrad(() => parameter([1]).mul(2)).backward())).toBe('ERR_BIO_TAPE')
  })

  test('values that an optimiser step changed since they were saved', () => {
    const layer = new Linear(2, 2, { rng: new Rng(1) })
    const optimizer = new AdamW(layer.parameters(), { lr: 0.1 })
    const x = tensor([[1, 2]], { requiresGrad: true })
    const late = layer.forward(x).sum()
    layer.forward(x).sum().backward()
    optimizer.step()
    expect(code(() => late.backward())).toBe('ERR_BIO_TAPE')
  })

  test('a custom gradient of another length, and leaves the graph consumed', () => {
    const x = parameter([1, 2])
    const wrong = apply({
      name: 'wrong',
      inputs: [x],
      forward: () => ({ shape: [2], data: allocate(2).fill(1) }),
      backward: () => [allocate(3)],
    }).sum()
    expect(code(() => wrong.backward())).toBe('ERR_BIO_SHAPE')
    expect(code(() => wrong.backward())).toBe('ERR_BIO_TAPE')
    expect(x.grad).toBeUndefined()
  })
})

describe('apply', () => {
  test('protects memory that a custom backward hands out twice or does not own', () => {
    const [a, b] = [parameter([1, 2]), parameter([3, 4])]
    const constant = Float32Array.of(5, 6)
    const make = (gradients: (dy: Float32Array, saved: Float32Array) => Float32Array[]): Tensor =>
      apply({
        name: 'custom',
        inputs: [a, b],
        saved: [a],
        forward: () => ({ shape: [2], data: allocate(2).fill(0) }),
        backward: (dy, [saved]) => gradients(dy, saved!.data as Float32Array),
      })
    make((_, saved) => [saved, constant])
      .sum()
      .backward() // a, constant
    make((dy) => [dy, dy])
      .sum()
      .backward() // 1, 1
    expect(a.toArray()).toEqual([1, 2])
    expect([...constant]).toEqual([5, 6])
    expect(a.grad!.toArray()).toEqual([2, 3])
    expect(b.grad!.toArray()).toEqual([6, 7])
  })

  test('a saved intermediate that is handed out as a gradient stays what it was for the others', () => {
    const x = parameter([1, 2])
    const middle = x.mul(3) // [3, 6]
    const squares = middle.mul(middle).sum()
    const custom = apply({
      name: 'custom',
      inputs: [middle],
      saved: [middle],
      forward: () => ({ shape: [2], data: allocate(2).fill(0) }),
      backward: (_, [saved]) => [saved!.data as Float32Array],
    })
    squares.add(custom.sum()).backward()
    for (let i = 0; i < 20; i++) allocate(2).fill(99) // whoever gets its memory next writes to it
    expect(x.grad!.toArray()).toEqual([3 * (2 * 3 + 3), 3 * (2 * 6 + 6)])
  })

  test('tells backward which gradients are needed, and hands over what forward kept', () => {
    const x = parameter([1, 2])
    const seen: unknown[] = []
    const y = apply({
      name: 'custom',
      inputs: [x, tensor([1])],
      saved: [x],
      saveOutput: true,
      forward: () => ({ shape: [2], data: allocate(2).fill(7), buffers: [allocate(3).fill(9)] }),
      backward: (dy, saved, needs) => {
        seen.push(
          saved.map((value) => value.toArray()),
          [...needs],
        )
        return [dy, undefined]
      },
    })
    y.sum().backward()
    expect(seen).toEqual([
      [
        [1, 2],
        [7, 7],
        [9, 9, 9],
      ],
      [true, false],
    ])
  })

  test('does not record what forward does with tensors', () => {
    const x = parameter([1, 2])
    const y = apply({
      name: 'double',
      inputs: [x],
      forward: () => {
        const twice = x.mul(2)
        expect(twice.requiresGrad).toBe(false)
        return { shape: [2], data: (twice.data as Float32Array).slice() }
      },
      backward: (dy) => [dy.map((d) => 2 * d)],
    })
    y.sum().backward()
    expect(x.grad!.toArray()).toEqual([2, 2])
  })

  test('refuses data that does not fill the shape and inputs that are not f32', () => {
    const forward = (): { shape: number[]; data: Float32Array } => ({ shape: [3], data: allocate(2) })
    expect(code(() => apply({ name: 'short', inputs: [], forward, backward: () => [] }))).toBe(
      'ERR_BIO_SHAPE',
    )
    const ids = tensor([1], { dtype: 'i32' })
    expect(code(() => apply({ name: 'ids', inputs: [ids], forward, backward: () => [] }))).toBe(
      'ERR_BIO_DTYPE',
    )
  })

  test('an error in forward or backward leaves recording as it was', () => {
    const x = parameter([1, 2])
    const broken = apply({
      name: 'broken',
      inputs: [x],
      forward: () => ({ shape: [2], data: allocate(2) }),
      backward: () => {
        throw new RangeError('mine')
      },
    })
    expect(() => broken.sum().backward()).toThrow(RangeError)
    x.mul(2).sum().backward()
    expect(x.grad!.toArray()).toEqual([2, 2])
  })
})

test('crossEntropy of ignored rows only is NaN, as in PyTorch', () => {
  const logits = randn([2, 3], { rng: new Rng(1) })
  expect(crossEntropy(logits, fromData(Int32Array.of(-100, -100))).item()).toBeNaN()
})

test('noGrad refuses a function that returns a promise', () => {
  expect(code(() => noGrad(() => Promise.reject(new Error('silenced'))))).toBe('ERR_BIO_ASYNC')
})

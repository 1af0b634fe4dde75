import { isBioError } from '@bio/errors'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  AdamW,
  checkpoint,
  dropout,
  layerNorm,
  Linear,
  Module,
  noGrad,
  ones,
  randn,
  Rng,
  savedTensorHooks,
  Sequential,
  tensor,
  zeros,
  type Tensor,
} from '../index.js'

class Layer extends Module {
  readonly up: Linear
  readonly down: Linear
  readonly rng: Rng

  constructor(rng: Rng) {
    super()
    this.up = new Linear(4, 6, { rng })
    this.down = new Linear(6, 4, { rng })
    this.rng = rng.fork(9)
  }

  forward(x: Tensor): Tensor {
    const inner = dropout(this.up.forward(x).gelu(), { p: 0.3, rng: this.rng, training: true })
    return x.add(layerNorm(this.down.forward(inner), ones([4]), zeros([4]), 1e-5).softmax())
  }
}

type Wrap = (layer: Layer, x: Tensor) => Tensor
const plain: Wrap = (layer, x) => layer.forward(x)
const each: Wrap = (layer, x) => checkpoint((h) => layer.forward(h), x)
const nested: Wrap = (layer, x) => checkpoint((h) => checkpoint((inner) => layer.forward(inner), h).mul(1), x)

/** Output, gradients and the generators' states after a pass over three layers. */
function run(seed: number, wrap: Wrap, whole = false): unknown {
  const rng = new Rng(seed)
  const layers = [new Layer(rng), new Layer(rng), new Layer(rng)]
  const x = randn([3, 4], { rng, requiresGrad: seed % 2 === 0 })
  const forward = (h: Tensor): Tensor => layers.reduce((value, layer) => wrap(layer, value), h)
  const y = (whole ? checkpoint(forward, x) : forward(x)).mul(2).keep()
  y.mul(y).sum().backward()
  const model = new Sequential(...layers)
  return [
    y.toArray(),
    x.grad?.toArray(),
    model.namedParameters().map(([name, { grad }]) => [name, grad!.toArray()]),
    layers.map((layer) => layer.rng.state),
  ]
}

test('gradients have the same bits with and without, dropout included, also nested', () => {
  fc.assert(
    fc.property(fc.nat(10_000), (seed) => {
      const expected = run(seed, plain)
      expect(run(seed, each)).toEqual(expected)
      expect(run(seed, nested)).toEqual(run(seed, (layer, x) => plain(layer, x).mul(1)))
      expect(run(seed, plain, true)).toEqual(expected)
      expect(run(seed, nested, true)).toEqual(run(seed, (layer, x) => plain(layer, x).mul(1)))
    }),
    { numRuns: 15, seed: 2 },
  )
})

test('parameters inside get gradients even where no input needs one', () => {
  const layer = new Linear(2, 2, { rng: new Rng(0) })
  checkpoint((x) => layer.forward(x), ones([1, 2]))
    .sum()
    .backward()
  expect(layer.weight.grad!.toArray()).toEqual([
    [1, 1],
    [1, 1],
  ])
})

test('what is kept inside can be part of the loss', () => {
  const layer = new Linear(2, 2, { rng: new Rng(0) })
  const x = ones([1, 2], { requiresGrad: true })
  const both = (wrap: (fn: (h: Tensor) => Tensor) => Tensor): unknown => {
    let side: Tensor | undefined
    const y = wrap((h) => {
      const hidden = layer.forward(h)
      const squares = hidden.mul(hidden).keep()
      side ??= squares // not the second time
      return hidden.exp()
    })
    y.sum().add(side!.sum()).backward()
    const gradients = [x.grad!.toArray(), layer.weight.grad!.toArray()]
    layer.zeroGrad()
    x.grad = undefined
    return gradients
  }
  expect(both((fn) => checkpoint(fn, x))).toEqual(both((fn) => fn(x)))
})

test('inside hooks its inputs are packed like any saved value, and only they', () => {
  const x = tensor([1.001, 3], { requiresGrad: true })
  const packed: number[] = []
  const half = {
    pack: (saved: Tensor) => {
      packed.push(saved.size)
      return saved.to('bf16')
    },
    unpack: (handle: Tensor) => handle.to('f32'),
  }
  savedTensorHooks(half, () => checkpoint((h) => h.mul(h).mul(h), x).sum()).backward()
  expect(packed).toEqual([2])
  expect(x.grad!.toArray()).toEqual([3, 27]) // 1.001 in bf16 is 1
})

test('without recording it is a plain call', () => {
  let calls = 0
  const y = noGrad(() =>
    checkpoint(
      (x) => {
        calls++
        return x.mul(2)
      },
      tensor([1, 2], { requiresGrad: true }),
    ),
  )
  expect([y.toArray(), y.requiresGrad, calls]).toEqual([[2, 4], false, 1])
})

const code = (fn: () => unknown): unknown => {
  try {
    return fn()
  } catch (error) {
    return isBioError(error) ? error.code : error
  }
}

test('a function that does something else the second time is refused', () => {
  let calls = 0
  const x = tensor([1, 2], { requiresGrad: true })
  const y = checkpoint((h) => (calls++ === 0 ? h.mul(h) : h.mul(h).mul(h)), x).sum()
  expect(code(() => y.backward())).toBe('ERR_BIO_TAPE')
  calls = 0
  const shapes = checkpoint((h) => (calls++ === 0 ? h.mul(h).sum() : h.narrow(0, 0, 1).exp()), x)
  expect(code(() => shapes.backward())).toBe('ERR_BIO_TAPE')
})

test('parameters that changed before backward are refused', () => {
  const layer = new Linear(2, 2, { rng: new Rng(0) })
  const optimizer = new AdamW(layer.parameters(), { lr: 0.1 })
  const late = checkpoint((x) => layer.forward(x), ones([1, 2])).sum()
  layer
    .forward(ones([1, 2]))
    .sum()
    .backward()
  optimizer.step()
  expect(code(() => late.backward())).toBe('ERR_BIO_TAPE')
})

test('what is not a tensor, or a promise, is refused', () => {
  const x = tensor([1])
  expect(code(() => checkpoint(() => 3 as never, x))).toBe('ERR_BIO_TAPE')
  expect(code(() => checkpoint((() => Promise.resolve(x)) as never, x))).toBe('ERR_BIO_ASYNC')
})

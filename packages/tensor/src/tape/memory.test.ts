import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import {
  AdamW,
  checkpoint,
  clipGradNorm,
  crossEntropy,
  Dropout,
  emptyPool,
  fromData,
  klDivergence,
  Linear,
  Module,
  noGrad,
  ones,
  poolStats,
  randn,
  Rng,
  RMSNorm,
  savedTensorHooks,
  scope,
  tensor,
  type Tensor,
} from '../index.js'
import { attention, rotary } from '../ops/attention.js'

/** A bit of everything that trains. */
class Block extends Module {
  readonly norm = new RMSNorm(8)
  readonly qkv: Linear
  readonly out: Linear
  readonly head: Linear
  readonly dropout: Dropout

  constructor(rng: Rng) {
    super()
    this.qkv = new Linear(8, 24, { rng })
    this.out = new Linear(8, 8, { rng })
    this.head = new Linear(8, 5, { rng, bias: false })
    this.dropout = new Dropout(0.1, { rng })
  }

  mix(x: Tensor): Tensor {
    const all = this.qkv.forward(this.norm.forward(x)) // [rows, 24]
    const part = (i: number): Tensor => all.narrow(1, 8 * i, 8).reshape([2, -1, 2, 4])
    const positions = Int32Array.from({ length: x.shape[0]! }, (_, row) => row)
    const mixed = attention(rotary(part(0), positions, { theta: 100 }), part(1), part(2), { causal: true })
    return x.add(this.dropout.forward(this.out.forward(mixed.reshape(x.shape)).gelu()))
  }

  forward(x: Tensor): Tensor {
    return this.head.forward(this.mix(x))
  }
}

function trainer(): { step: (rows: number) => void; block: Block } {
  const rng = new Rng(3)
  const block = new Block(rng)
  const optimizer = new AdamW(block.parameters(), { lr: 1e-3 })
  return {
    block,
    step(rows) {
      const x = randn([rows, 8], { rng })
      const y = fromData(Int32Array.from({ length: rows }, (_, row) => row % 5))
      const middle = block.forward(x)
      const loss = crossEntropy(middle, y)
      loss.add(middle.mul(middle).mean()).backward()
      clipGradNorm(block.parameters(), 1)
      optimizer.step()
      optimizer.zeroGrad()
    },
  }
}

test('a training loop takes nothing new from the pool after its first step, and leaves nothing behind', () => {
  const { step } = trainer()
  const before = poolStats()
  step(6)
  const first = poolStats()
  expect(first.inUse).toBe(before.inUse)
  for (let i = 0; i < 500; i++) step(6)
  expect(poolStats()).toEqual(first)
})

test('ragged batches settle on a bounded pool', () => {
  const { step } = trainer()
  const before = poolStats()
  for (let i = 0; i < 60; i++) step(2 + 2 * (i % 30))
  const settled = poolStats()
  for (let i = 0; i < 240; i++) step(2 + 2 * (i % 30))
  expect(poolStats()).toEqual(settled)
  expect(settled.inUse).toBe(before.inUse)
})

test('checkpointed training leaves nothing behind either', () => {
  const rng = new Rng(4)
  const block = new Block(rng)
  const x = randn([6, 8], { rng })
  const step = (): void => {
    const hidden = checkpoint(
      (h) => block.mix(h),
      checkpoint((h) => block.mix(h), x),
    )
    block.head.forward(hidden).sum().backward()
    block.zeroGrad()
  }
  const before = poolStats()
  step()
  const first = poolStats()
  expect(first.inUse).toBe(before.inUse)
  for (let i = 0; i < 50; i++) step()
  expect(poolStats()).toEqual(first)
})

test('nested checkpoints and distillation leave nothing behind', () => {
  const rng = new Rng(4)
  const block = new Block(rng)
  const x = randn([6, 8], { rng })
  const teacher = randn([6, 5], { rng })
  const step = (): void => {
    const both = (h: Tensor): Tensor => checkpoint((inner) => block.mix(inner), block.mix(h))
    const hidden = checkpoint(both, checkpoint(both, x))
    klDivergence(block.head.forward(hidden), teacher).backward()
    block.zeroGrad()
  }
  const before = poolStats()
  step()
  const first = poolStats()
  expect(first.inUse).toBe(before.inUse)
  for (let i = 0; i < 20; i++) step()
  expect(poolStats()).toEqual(first)
})

test('a checkpoint holds only its input and output until backward', () => {
  const block = new Block(new Rng(5))
  const x = randn([64, 8], { rng: new Rng(6) })
  const during = (run: () => Tensor): number => {
    const before = poolStats().inUse
    const y = run()
    const held = poolStats().inUse - before
    y.sum().backward()
    block.zeroGrad()
    return held
  }
  expect(during(() => checkpoint((h) => block.mix(h), x))).toBe(1)
  expect(during(() => block.mix(x))).toBeGreaterThan(10)
})

test('a scope gives back all but what it returns', () => {
  const block = new Block(new Rng(7)).eval()
  const x = randn([6, 8], { rng: new Rng(8) })
  const before = poolStats().inUse
  const expected = noGrad(() => block.forward(x).toArray())
  const { y, list } = noGrad(() => scope(() => ({ y: block.forward(x), list: [x.mul(2)] })))
  expect(y.toArray()).toEqual(expected)
  expect(list[0]!.shape).toEqual([6, 8])
  let inner: Tensor | undefined
  const outer = scope(() => {
    inner = scope(() => x.mul(3))
    return 1
  })
  expect(outer).toBe(1)
  expect(() => inner!.data).toThrow(/keep/)
  const mid = poolStats().inUse
  noGrad(() => scope(() => block.forward(x).sum().item()))
  expect(poolStats().inUse).toBe(mid)
  expect(mid).toBeGreaterThan(before)
})

test('a scope finds tensors in arrays, maps, sets and objects of any size', () => {
  const make = (): Tensor => ones([2]).mul(2)
  const found = scope(() => ({
    map: new Map([[make(), make()]]),
    set: new Set([make()]),
    list: [Array.from({ length: 200_000 }, (_, i) => i), make()] as const,
  }))
  const all = [...found.map.entries()].flat()
  expect([...all, ...found.set, found.list[1]].map((t) => t.toArray())).toEqual(
    Array.from({ length: 4 }, () => [2, 2]),
  )
})

test('a scope gives back what a checkpoint in it returned', () => {
  const block = new Block(new Rng(7))
  const x = randn([6, 8], { rng: new Rng(8) })
  const before = poolStats().inUse
  scope(() =>
    checkpoint((h) => block.mix(h), x)
      .sum()
      .item(),
  )
  expect(poolStats().inUse).toBe(before)
})

test('a scope that returns a loss keeps what its backward needs', () => {
  const w = tensor([1, 2], { requiresGrad: true })
  const loss = scope(() => w.mul(w).exp().sum())
  loss.backward()
  expect(w.grad!.toArray()[0 as never]).toBeCloseTo(2 * Math.E, 5)
})

test('a scope that throws gives everything back, and gradients and parameters survive one', () => {
  const before = poolStats().inUse
  const x = tensor([1, 2], { requiresGrad: true })
  expect(() =>
    scope(() => {
      x.mul(2).exp()
      throw new Error('mine')
    }),
  ).toThrow('mine')
  expect(poolStats().inUse).toBe(before)
  const made = scope(() => {
    x.mul(2).sum().backward()
    const parameter = noGrad(() => x.mul(5))
    parameter.requiresGrad = true
    return { get: () => parameter }
  })
  expect(x.grad!.toArray()).toEqual([2, 2])
  expect(made.get().toArray()).toEqual([5, 10])
})

test('a forward pass without backward leaves the books when it is collected', async () => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  emptyPool()
  const block = new Block(new Rng(9))
  const before = poolStats().inUse
  const x = randn([6, 8], { rng: new Rng(1) })
  for (let i = 0; i < 100; i++) block.forward(x)
  expect(poolStats().inUse).toBeGreaterThan(before + 1000)
  for (let i = 0; i < 5; i++) {
    collect()
    await new Promise((turn) => setTimeout(turn, 5))
  }
  expect(poolStats().inUse).toBeLessThan(before + 150) // the last lease is still open
})

test('saved values go through the hooks, compressed or counted', () => {
  const x = tensor([1.001, 2.002], { requiresGrad: true })
  const packed: number[] = []
  const y = savedTensorHooks(
    {
      pack: (saved) => {
        packed.push(saved.size)
        return saved.to('bf16')
      },
      unpack: (half) => half.to('f32'),
    },
    () => x.mul(x).sum(),
  )
  y.backward()
  expect(packed).toEqual([2, 2])
  expect(x.grad!.toArray()).toEqual([2, 4]) // 1.001 and 2.002 in bf16 are 1 and 2
})

test('hooks that return another shape are refused in backward', () => {
  const x = tensor([1, 2], { requiresGrad: true })
  const y = savedTensorHooks({ pack: () => 0, unpack: () => tensor([1]) }, () => x.mul(x).sum())
  expect(() => y.backward()).toThrow(/unpack to return f32 \[2\]/)
})

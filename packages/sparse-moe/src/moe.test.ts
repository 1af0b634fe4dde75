import {
  AdamW,
  checkpoint,
  GroupedLinear,
  Linear,
  noGrad,
  poolStats,
  randn,
  Rng,
  tensor,
  type Tensor,
} from '@bio/tensor'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { MoE, noBalance, softmaxTopK, type MoEOptions } from './index.js'

const [dim, hidden, experts] = [8, 6, 5]

function make(options: Partial<MoEOptions> = {}): MoE {
  return new MoE({ dim, hidden, experts, router: softmaxTopK({ topK: 2 }), rng: new Rng(3), ...options })
}

test('a token has the same bits alone and in any batch', () => {
  const moe = make()
  const all = randn([12, dim], { rng: new Rng(4) }).data as Float32Array
  const row = (token: number): Float32Array => all.subarray(token * dim, (token + 1) * dim)
  const run = (rows: number[]): Float32Array => {
    const x = tensor(Float32Array.from(rows.flatMap((token) => [...row(token)])), {
      shape: [rows.length, dim],
    })
    return noGrad(() => moe.forward(x).y.data as Float32Array)
  }
  const alone = Array.from({ length: 12 }, (_, token) => [...run([token])])
  fc.assert(
    fc.property(fc.array(fc.nat(11), { minLength: 1, maxLength: 20 }), (rows) => {
      expect([...run(rows)]).toEqual(rows.flatMap((token) => alone[token]!))
    }),
  )
})

test('training and inference compute the same bits', () => {
  const moe = make()
  const x = randn([9, dim], { rng: new Rng(4) })
  const recorded = [...(moe.forward(x).y.data as Float32Array)]
  expect([...(noGrad(() => moe.forward(x).y.data) as Float32Array)]).toEqual(recorded)
})

test('a NaN stays in its own token', () => {
  const moe = make()
  const values = randn([3, dim], { rng: new Rng(4) }).data.slice() as Float32Array
  const clean = [...(moe.forward(tensor(values, { shape: [3, dim] })).y.data as Float32Array)]
  values[dim + 2] = NaN
  const { y, aux } = moe.forward(tensor(values, { shape: [3, dim] }))
  const rows = [...(y.data as Float32Array)]
  expect(rows.slice(0, dim)).toEqual(clean.slice(0, dim))
  expect(rows.slice(dim, 2 * dim).every(Number.isNaN)).toBe(true)
  expect(rows.slice(2 * dim)).toEqual(clean.slice(2 * dim))
  expect(aux.loss.item()).toBeNaN()
})

test('the telemetry counts the choices', () => {
  const moe = make({ router: softmaxTopK({ topK: 3 }) })
  const { aux } = moe.forward(randn([10, dim], { rng: new Rng(4) }))
  expect(aux.counts.reduce((sum, count) => sum + count)).toBe(30)
  expect(aux.load.reduce((sum, share) => sum + share)).toBeCloseTo(1, 12)
  expect(aux.maxViolation).toBeCloseTo((Math.max(...aux.counts) * experts) / 30 - 1, 12)
  expect(aux.deadExperts).toBe(aux.counts.filter((count) => count === 0).length)
  expect(aux.routerEntropy).toBeGreaterThan(0)
  expect(aux.routerEntropy).toBeLessThanOrEqual(Math.log(experts))
})

test('the state has the documented names and shapes, and goes into another layer', () => {
  const [moe, other] = [make(), make({ rng: new Rng(99) })]
  const state = moe.stateDict()
  expect(Object.fromEntries(Object.entries(state).map(([name, { shape }]) => [name, [...shape]]))).toEqual({
    'router.weight': [experts, dim],
    'gateUp.weight': [experts, 2 * hidden, dim],
    'down.weight': [experts, dim, hidden],
  })
  expect(moe.parameters().every(({ requiresGrad }) => requiresGrad)).toBe(true)
  other.loadStateDict(state)
  const x = randn([4, dim], { rng: new Rng(4) })
  expect([...other.forward(x).y.data]).toEqual([...moe.forward(x).y.data])
})

test('a training loop takes no new memory from the pool after its first steps', () => {
  const moe = make({ zLoss: 0.01 })
  const rng = new Rng(4)
  const before = new Linear(dim, dim, { rng })
  const optimizer = new AdamW([...before.parameters(), ...moe.parameters()], { lr: 1e-3 })
  const step = (): number => {
    const { y, aux } = moe.forward(before.forward(randn([32, dim], { rng })))
    y.mul(y).mean().add(aux.loss).backward()
    optimizer.step()
    optimizer.zeroGrad()
    return poolStats().bytes
  }
  const warm = [step(), step()].at(-1)
  for (let i = 0; i < 50; i++) expect(step()).toBe(warm)
})

/** The gradients of x and of every parameter, after a pass through a fresh layer. */
function gradients(run: (moe: MoE, x: Tensor) => Tensor): number[][] {
  const moe = make()
  const x = randn([9, dim], { rng: new Rng(4), requiresGrad: true })
  run(moe, x).sum().backward()
  return [x, ...moe.parameters()].map(({ grad }) => [...grad!.data])
}

test('experts at once have the values and gradients, bit for bit, of layers that are called one by one', () => {
  class Apart extends GroupedLinear {
    override forward(...args: Parameters<GroupedLinear['forward']>): Tensor {
      return super.forward(...args)
    }
  }
  const run = (moe: MoE, x: Tensor): Tensor => {
    const { y } = moe.forward(x)
    return y.mul(y)
  }
  const apart = gradients((moe, x) => {
    Object.setPrototypeOf(moe.gateUp, Apart.prototype)
    return run(moe, x)
  })
  expect(gradients(run)).toEqual(apart)
})

test('experts whose weights are fixed pass gradients on', () => {
  const [free, fixed] = [make(), make()]
  fixed.down.weight.requiresGrad = false
  const slopes = (moe: MoE): Tensor[] => {
    const x = randn([9, dim], { rng: new Rng(4), requiresGrad: true })
    moe.forward(x).y.sum().backward()
    return [x.grad!, moe.gateUp.weight.grad!]
  }
  const [expected, found] = [slopes(free), slopes(fixed)]
  found.forEach((slope, i) => expect([...slope.data]).toEqual([...expected[i]!.data]))
  expect(fixed.down.weight.grad).toBeUndefined()
})

test('under checkpoint the gradients have the same bits', () => {
  const plain = gradients((moe, x) => moe.forward(x).y)
  expect(gradients((moe, x) => checkpoint((input) => moe.forward(input).y, x))).toEqual(plain)
})

test('the same seed makes the same layer', () => {
  expect([...make().router.weight.data]).toEqual([...make().router.weight.data])
})

test('without balance and z-loss the loss is 0', () => {
  const { aux } = make({ balance: noBalance() }).forward(randn([4, dim], { rng: new Rng(4) }))
  expect(aux.loss.item()).toBe(0)
})

test.each([[[dim]], [[2, 3]], [[0, dim]], [[2, 2, dim]]])('x of shape %j is refused', (shape) => {
  const size = shape.reduce((product, length) => product * length, 1)
  expect(() => make().forward(tensor(new Float32Array(size), { shape }))).toThrowError(
    expect.objectContaining({ code: 'ERR_BIO_SHAPE' }),
  )
})

test.each([
  { dim: 0 },
  { hidden: 1.5 },
  { experts: NaN },
  { zLoss: -1 },
  { zLoss: Infinity },
  { router: softmaxTopK({ topK: 6 }) },
])('%o is refused', (options) => {
  expect(() => make(options)).toThrowError(expect.objectContaining({ code: 'ERR_BIO_CONFIG' }))
})

test.each([0, -1, 1.5, NaN])('topK %s is refused', (topK) => {
  expect(() => softmaxTopK({ topK })).toThrowError(expect.objectContaining({ code: 'ERR_BIO_CONFIG' }))
})

import { isBioError } from '@bio/errors'
import { getKernels } from '@bio/kernels'
import fc from 'fast-check'
import { afterEach, expect, test, vi } from 'vitest'
import {
  AdamW,
  apply,
  allocate,
  checkpoint,
  crossEntropy,
  fromData,
  Linear,
  linear,
  observeLinear,
  poolStats,
  randn,
  Rng,
  SGD,
  tensor,
  type Optimizer,
  type Tensor,
} from '../index.js'

afterEach(() => void vi.restoreAllMocks())

/** What a model may do with its weights beside using each of them once. */
const habits = [
  'none',
  'tied',
  'input',
  'detached',
  'saved elsewhere',
  'checkpoint',
  'gathered',
  'frozen',
] as const
type Habit = (typeof habits)[number]

const optimizers: readonly ((parameters: Tensor[]) => Optimizer)[] = [
  (parameters) => new AdamW(parameters, { lr: 0.01, weightDecay: 0.1 }),
  (parameters) => new SGD(parameters, { lr: 0.1, weightDecay: 0.1 }),
  (parameters) => new SGD(parameters, { lr: 0.1, momentum: 0.9, nesterov: true }),
]

interface Case {
  readonly habit: Habit
  readonly make: (parameters: Tensor[]) => Optimizer
  readonly width: number
  readonly rows: number
  readonly hole: boolean
}

/** Trains for a few steps by `take` and returns the bits of all parameters and of the optimiser's state. */
function train(
  { habit, make, width, rows, hole }: Case,
  take: (optimizer: Optimizer, loss: Tensor) => void,
): unknown {
  const rng = new Rng(3)
  const layers = [0, 1, 2].map(() => new Linear(width, width, { rng, bias: width % 2 === 0 }))
  const [first, second, third] = layers as [Linear, Linear, Linear]
  const parameters = layers.flatMap((layer) => layer.parameters())
  const optimizer = make(parameters)
  if (habit === 'frozen') second.weight.requiresGrad = false
  const targets = fromData(Int32Array.from({ length: rows }, (_, row) => row % width))
  const middle = (h: Tensor): Tensor => second.forward(h).relu()
  for (let step = 0; step < 3; step++) {
    const x = randn([rows, width], { rng })
    if (hole && step === 1) x.data[0] = NaN
    if (habit === 'gathered') crossEntropy(middle(x), targets).backward()
    let h = first.forward(x).relu()
    h = habit === 'checkpoint' ? checkpoint(middle, h) : middle(h)
    if (habit === 'tied') h = middle(h)
    if (habit === 'input') h = h.add(linear(second.weight, first.weight).mean())
    if (habit === 'detached') h = linear(h, second.weight.detach())
    if (habit === 'saved elsewhere') h = scaledBySum(h, second.weight)
    take(optimizer, crossEntropy(third.forward(h), targets))
    expect(parameters.map(({ grad }) => grad)).toEqual(parameters.map(() => undefined))
  }
  const state = Object.entries(optimizer.stateDict()).map(([name, { data }]) => [
    name,
    bits(data as Float32Array),
  ])
  return [parameters.map(({ data }) => bits(data as Float32Array)), state]
}

const bits = ({ buffer, byteOffset, length }: Float32Array | Int32Array): number[] => [
  ...new Int32Array(buffer, byteOffset, length),
]

/** An operation that reads a weight in backward to which it sends no gradient. */
const scaledBySum = (x: Tensor, weight: Tensor): Tensor =>
  apply({
    name: 'scaledBySum',
    inputs: [x],
    saved: [weight],
    forward: () => ({ shape: x.shape, data: allocate(x.size).fill(weight.data[0]!) }),
    backward: (dy, [saved]) => [dy.map((d) => d * saved!.data[0]!)],
  })

test('minimize leaves the bits that backward, step and zeroGrad leave', () => {
  fc.assert(
    fc.property(
      fc.record({
        habit: fc.constantFrom(...habits),
        make: fc.constantFrom(...optimizers),
        width: fc.integer({ min: 1, max: 40 }),
        rows: fc.integer({ min: 1, max: 40 }),
        hole: fc.boolean(),
      }),
      (drawn) => {
        const separately = train(drawn, (optimizer, loss) => {
          loss.backward()
          optimizer.step()
          optimizer.zeroGrad()
        })
        expect(train(drawn, (optimizer, loss) => optimizer.minimize(loss))).toEqual(separately)
      },
    ),
    { numRuns: 200 },
  )
})

test('minimize sums no gradient of a weight that is used once, and gives all memory back', () => {
  const rng = new Rng(1)
  const layers = [new Linear(6, 5, { rng }), new Linear(5, 4, { rng })] as const
  const optimizer = new SGD(
    layers.flatMap((layer) => layer.parameters()),
    { lr: 0.1 },
  )
  const matmul = vi.spyOn(getKernels(), 'matmul')
  const before = poolStats().inUse
  optimizer.minimize(layers[1].forward(layers[0].forward(randn([3, 6], { rng })).relu()).mean())
  expect(matmul.mock.calls.map(([out]) => out.length)).toEqual([3 * 5, 3 * 4, 3 * 5])
  expect(poolStats().inUse).toBe(before)
})

test('minimize leaves the gradients of parameters that are not its own', () => {
  const [rng, x] = [new Rng(1), tensor([[1, 2]])]
  const [own, other] = [new Linear(2, 2, { rng }), new Linear(2, 2, { rng })]
  const start = other.weight.toArray()
  const seen: Tensor[] = []
  observeLinear(
    (weight) => seen.push(weight),
    () => new SGD(own.parameters(), { lr: 0.1 }).minimize(other.forward(own.forward(x)).sum()),
  )
  expect(other.weight.toArray()).toEqual(start)
  expect(other.weight.grad?.shape).toEqual([2, 2])
  expect(own.weight.grad).toBeUndefined()
  expect(seen).toEqual([other.weight, own.weight])
})

test('minimize refuses a bad rate and a loss of several values before anything changes', () => {
  const layer = new Linear(2, 2, { rng: new Rng(1) })
  const start = layer.weight.toArray()
  const optimizer = new SGD(layer.parameters(), { lr: 0.1 })
  const code = (fn: () => unknown): unknown => {
    try {
      return fn()
    } catch (error) {
      return isBioError(error) ? error.code : error
    }
  }
  const loss = layer.forward(tensor([[1, 2]]))
  expect(code(() => optimizer.minimize(loss))).toBe('ERR_BIO_SHAPE')
  optimizer.lr = NaN
  expect(code(() => optimizer.minimize(loss.sum()))).toBe('ERR_BIO_VALUE')
  expect(layer.weight.toArray()).toEqual(start)
})

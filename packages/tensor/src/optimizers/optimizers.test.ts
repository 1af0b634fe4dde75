import { isBioError } from '@bio/errors'
import { expect, test } from 'vitest'
import { error, readGolden, type Golden } from '../__fixtures__/golden.js'
import {
  AdamW,
  clipGradNorm,
  constantSchedule,
  cosineSchedule,
  crossEntropy,
  linearSchedule,
  Linear,
  ones,
  readSafetensors,
  Rng,
  Sequential,
  SGD,
  tensor,
  TokenWindows,
  writeSafetensors,
  zeros,
  type Optimizer,
  type Tensor,
} from '../index.js'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

interface Trace {
  readonly start: Golden[]
  readonly gradients: (number[] | null)[][]
  readonly after: number[][][]
}
interface Goldens extends Record<'AdamW' | 'SGD' | 'SGD momentum' | 'SGD nesterov', Trace> {
  readonly clip: { maxNorm: number; before: number[][]; norm: number; after: number[][] }[]
  readonly training: { state: Record<string, Golden>; x: Golden; y: number[]; lr: number; losses: number[] }
}
const golden = readGolden<Goldens>('optimizers')
const load = ({ shape, data }: Golden): Tensor => tensor(data, { shape, requiresGrad: true })

const optimizers: Record<
  'AdamW' | 'SGD' | 'SGD momentum' | 'SGD nesterov',
  (parameters: Tensor[]) => Optimizer
> = {
  AdamW: (parameters) => new AdamW(parameters, { lr: 0.1, betas: [0.8, 0.95], eps: 1e-6, weightDecay: 0.1 }),
  SGD: (parameters) => new SGD(parameters, { lr: 0.1, weightDecay: 0.1 }),
  'SGD momentum': (parameters) => new SGD(parameters, { lr: 0.1, momentum: 0.9 }),
  'SGD nesterov': (parameters) =>
    new SGD(parameters, { lr: 0.1, momentum: 0.9, nesterov: true, weightDecay: 0.01 }),
}
const names = Object.keys(optimizers) as (keyof typeof optimizers)[]

function give(parameters: readonly Tensor[], gradients: readonly (number[] | null)[]): void {
  parameters.forEach((parameter, i) => {
    parameter.grad = gradients[i] == null ? undefined : tensor(gradients[i], { shape: parameter.shape })
  })
}

test.each(names)('%s takes the steps of PyTorch, a parameter without gradient included', (name) => {
  const { start, gradients, after } = golden[name]
  const parameters = start.map(load)
  const optimizer = optimizers[name](parameters)
  gradients.forEach((step, index) => {
    give(parameters, step)
    optimizer.step()
    parameters.forEach((parameter, i) => expect(error(parameter.data, after[index]![i]!)).toBeLessThan(1e-6))
  })
})

test.each(names)('%s goes on from a saved state, bit for bit, also through a file', async (name) => {
  const { start, gradients } = golden[name]
  const folder = await mkdtemp(join(tmpdir(), 'bio-optimizer-'))
  const [one, other] = [start.map(load), start.map(load)]
  const [first, second] = [optimizers[name](one), optimizers[name](other)]
  const run = (parameters: Tensor[], optimizer: Optimizer, from: number, to: number): void => {
    for (const step of gradients.slice(from, to)) {
      give(parameters, step)
      optimizer.step()
    }
  }
  run(one, first, 0, 4)
  const path = join(folder, 'state.safetensors')
  await writeSafetensors(path, { ...first.stateDict(), a: one[0]!, b: one[1]! })
  const { tensors } = await readSafetensors(path)
  await rm(folder, { recursive: true })
  second.loadStateDict(tensors)
  other[0]!.data.set(tensors['a']!.data)
  other[1]!.data.set(tensors['b']!.data)
  run(one, first, 4, 6)
  run(other, second, 4, 6)
  expect(other.map((parameter) => parameter.toArray())).toEqual(one.map((parameter) => parameter.toArray()))
})

test('a small classifier has the losses of PyTorch over 20 steps', () => {
  const { state, x, y, lr, losses } = golden.training
  const rng = new Rng(0)
  const model = [new Linear(4, 8, { rng }), new Linear(8, 3, { rng })] as const
  new Sequential(...model).loadStateDict(
    Object.fromEntries(
      Object.entries(state).map(([name, value]) => [`layers.${name.replace('2.', '1.')}`, load(value)]),
    ),
  )
  const optimizer = new AdamW(new Sequential(...model).parameters(), { lr })
  const [input, targets] = [tensor(x.data, { shape: x.shape }), tensor(y, { dtype: 'i32' })]
  for (const expected of losses) {
    const loss = crossEntropy(model[1].forward(model[0].forward(input).relu()), targets)
    loss.backward()
    optimizer.step()
    optimizer.zeroGrad()
    expect(Math.abs(loss.item() - expected)).toBeLessThan(1e-5)
  }
})

test.each(golden.clip)(
  'gradients are clipped to $maxNorm as PyTorch does',
  ({ maxNorm, before, norm, after }) => {
    const parameters = before.map((values) => zeros([values.length], { requiresGrad: true }))
    give(parameters, before)
    expect(clipGradNorm(parameters, maxNorm)).toBeCloseTo(norm, 5)
    parameters.forEach(({ grad }, i) => expect(error(grad!.data, after[i]!)).toBeLessThan(1e-6))
  },
)

test('a norm that is not finite is returned, and the gradients stay', () => {
  const parameter = zeros([2], { requiresGrad: true })
  for (const wrong of [NaN, Infinity]) {
    parameter.grad = tensor([wrong, 1])
    expect(clipGradNorm([parameter], 1)).toBe(wrong)
    expect(parameter.grad.toArray()).toEqual([wrong, 1])
  }
})

const code = (fn: () => unknown): unknown => {
  try {
    return fn()
  } catch (caught) {
    return isBioError(caught) ? caught.code : caught
  }
}

test('bad rates, parameters and states are refused before anything changes', () => {
  const parameter = ones([2], { requiresGrad: true })
  const optimizer = new AdamW([parameter, parameter], { lr: 0.1 })
  parameter.grad = ones([2])
  optimizer.lr = NaN
  expect(code(() => optimizer.step())).toBe('ERR_BIO_VALUE')
  expect(parameter.toArray()).toEqual([1, 1])
  expect(code(() => new SGD([parameter], { lr: -1 }))).toBe('ERR_BIO_VALUE')
  expect(code(() => new AdamW([parameter], { lr: 1, betas: [0.9, 1] }))).toBe('ERR_BIO_VALUE')
  expect(code(() => new AdamW([parameter], { lr: 1, eps: 0 }))).toBe('ERR_BIO_VALUE')
  expect(code(() => new SGD([parameter.mul(2)], { lr: 1 }))).toBe('ERR_BIO_DTYPE')
  expect(code(() => new SGD([zeros([1], { dtype: 'i32' })], { lr: 1 }))).toBe('ERR_BIO_DTYPE')
  expect(code(() => clipGradNorm([parameter], 0))).toBe('ERR_BIO_VALUE')
  expect(code(() => optimizer.loadStateDict({}))).toBe('ERR_BIO_STATE')
  const state = { 'optimizer.steps': zeros([1], { dtype: 'i32' }), 'optimizer.firstMoment.0': zeros([3]) }
  expect(code(() => optimizer.loadStateDict(state))).toBe('ERR_BIO_STATE')
})

test('schedules grow, fall and end where they say', () => {
  const cosine = cosineSchedule({ lr: 1, warmup: 10, total: 110, min: 0.1 })
  expect([1, 5, 10, 60, 110, 200].map((step) => Number(cosine(step).toFixed(6)))).toEqual([
    0.1, 0.5, 1, 0.55, 0.1, 0.1,
  ])
  const linear = linearSchedule({ lr: 1, warmup: 0, total: 10 })
  expect([0, 5, 10].map(linear)).toEqual([1, 0.5, 0])
  expect([1, 2, 1000].map(constantSchedule({ lr: 0.5, warmup: 2 }))).toEqual([0.25, 0.5, 0.5])
  expect(code(() => cosineSchedule({ lr: 1, warmup: 10, total: 5 }))).toBe('ERR_BIO_VALUE')
  expect(code(() => linearSchedule({ lr: 1, warmup: 0, total: 5, min: 2 }))).toBe('ERR_BIO_VALUE')
  expect(code(() => constantSchedule({ lr: NaN }))).toBe('ERR_BIO_VALUE')
})

test('token windows are stretches of the text with the next token beside each', () => {
  const tokens = Uint8Array.from({ length: 50 }, (_, i) => i)
  const windows = new TokenWindows(tokens, { length: 4, batch: 3, rng: new Rng(1) })
  const starts = new Set<number>()
  for (let i = 0; i < 400; i++) {
    const { x, y } = windows.next()
    expect([x.dtype, x.shape, y.shape]).toEqual(['i32', [12], [12]])
    for (let row = 0; row < 12; row++) {
      expect(y.data[row]).toBe(x.data[row]! + 1)
      if (row % 4 === 0) starts.add(x.data[row]!)
      else expect(x.data[row]).toBe(x.data[row - 1]! + 1)
    }
  }
  expect(starts.size).toBe(46) // 0 … 45, the last with 49 as its last target
  for (const wrong of [
    { length: 50, batch: 1 },
    { length: 0, batch: 1 },
    { length: 2, batch: 1.5 },
  ]) {
    expect(code(() => new TokenWindows(tokens, { ...wrong, rng: new Rng(1) }))).toBe('ERR_BIO_SHAPE')
  }
})

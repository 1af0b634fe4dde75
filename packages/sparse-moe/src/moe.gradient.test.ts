import { randn, Rng, type Tensor } from '@bio/tensor'
import { expect, test } from 'vitest'
import { naiveForward, type NaiveMoE } from './__fixtures__/naive-moe.js'
import { MoE, softmaxTopK, switchLoss } from './index.js'

const [dim, hidden, experts, tokens] = [6, 5, 4, 11]
const [alpha, zLoss] = [0.3, 0.2] // large, so that their gradients weigh

function wide(tensor: Tensor): Float64Array {
  return Float64Array.from(tensor.data as Float32Array)
}

function setUp(topK: number) {
  const rng = new Rng(7 + topK)
  const moe = new MoE({
    dim,
    hidden,
    experts,
    router: softmaxTopK({ topK }),
    balance: switchLoss({ alpha }),
    zLoss,
    rng,
  })
  const x = randn([tokens, dim], { rng })
  const dy = randn([tokens, dim], { rng })
  const naive: NaiveMoE = {
    dim,
    hidden,
    experts,
    topK,
    alpha,
    zLoss,
    router: wide(moe.router.weight),
    gateUp: wide(moe.gateUp.weight),
    down: wide(moe.down.weight),
  }
  return { moe, x, dy, naive }
}

test.each([1, 2, 3, 4])('topK %i agrees with one token and one expert at a time', (topK) => {
  const { moe, x, naive } = setUp(topK)
  const { y, aux } = moe.forward(x)
  const expected = naiveForward(naive, wide(x))
  expect([...aux.counts]).toEqual(expected.counts)
  expect(aux.loss.item()).toBeCloseTo(expected.loss, 5)
  wide(y).forEach((value, i) => expect(value).toBeCloseTo(expected.y[i]!, 5))
})

test.each([1, 2, 3, 4])('topK %i has the gradients of the f64 oracle’s finite differences', (topK) => {
  const { moe, x, dy, naive } = setUp(topK)
  x.requiresGrad = true
  const { y, aux } = moe.forward(x)
  y.mul(dy).sum().add(aux.loss).backward()

  const [xs, dys] = [wide(x), wide(dy)]
  const value = (): number => {
    const { y: out, loss } = naiveForward(naive, xs)
    return out.reduce((sum, element, i) => sum + element * dys[i]!, loss)
  }
  const pairs: [string, Tensor, Float64Array][] = [
    ['x', x, xs],
    ['router', moe.router.weight, naive.router],
    ['gateUp', moe.gateUp.weight, naive.gateUp],
    ['down', moe.down.weight, naive.down],
  ]
  for (const [name, tensor, values] of pairs) {
    const gradient = tensor.grad!.data as Float32Array
    for (let i = 0; i < values.length; i++) {
      const [at, step] = [values[i]!, 1e-6]
      values[i] = at + step
      const high = value()
      values[i] = at - step
      const low = value()
      values[i] = at
      expect(gradient[i], `${name}[${i}]`).toBeCloseTo((high - low) / (2 * step), 4)
    }
  }
})

test('at topK 1 the task alone trains the router', () => {
  const { moe, x, dy } = setUp(1)
  moe.forward(x).y.mul(dy).sum().backward()
  expect(wide(moe.router.weight.grad!).some((slope) => Math.abs(slope) > 1e-3)).toBe(true)
})

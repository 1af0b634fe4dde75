import { fromData, randn, Rng, SGD, type Tensor } from '@bio/tensor'
import { expect, test } from 'vitest'
import { importanceLoss, MoE, softmaxTopK, switchLoss, type Balance, type MoEAux } from '../index.js'

const [dim, experts] = [8, 8]

/**
 * The collapse that a flat router hides: probabilities are nearly equal, but experts 0 and 1 are ahead of the others by a hair for
 * every token, so they take all of it. Only the balance loss trains.
 */
function collapse(balance: Balance): { start: MoEAux; end: MoEAux; slope: number } {
  const rng = new Rng(5)
  const moe = new MoE({ dim, hidden: 2, experts, router: softmaxTopK({ topK: 2 }), balance, rng })
  const weight = moe.router.weight.data as Float32Array // [experts, dim]
  for (let i = 0; i < weight.length; i++) weight[i] = i % dim === 0 && i < 2 * dim ? 0.05 : weight[i]! * 0.01
  const draw = (tokens: number): Tensor => {
    const x = randn([tokens, dim], { rng }).data as Float32Array
    for (let token = 0; token < tokens; token++) x[token * dim] = 1 // what all tokens have in common
    return fromData(x, [tokens, dim])
  }
  const optimizer = new SGD([moe.router.weight], { lr: 0.002 })
  const start = moe.forward(draw(2048)).aux
  let slope = 0
  for (let step = 0; step < 500; step++) {
    const { aux } = moe.forward(draw(256))
    aux.loss.backward()
    if (step === 0) slope = Math.max(...(moe.router.weight.grad!.data as Float32Array).map(Math.abs))
    optimizer.step()
    optimizer.zeroGrad()
  }
  return { start, end: moe.forward(draw(2048)).aux, slope }
}

test('switchLoss undoes within 500 steps a collapse that importanceLoss hardly sees', () => {
  const [importance, balanced] = [collapse(importanceLoss({ alpha: 1 })), collapse(switchLoss({ alpha: 1 }))]
  for (const { start } of [importance, balanced]) {
    expect(start.maxViolation).toBe(3) // two of eight experts take everything
    expect(start.deadExperts).toBe(6)
    expect(start.loss.item()).toBeLessThan(1.05) // and yet both losses look even, which is 1
  }
  expect(balanced.slope).toBeGreaterThan(10 * importance.slope)
  expect(importance.end.maxViolation).toBeGreaterThan(2.5)
  expect(importance.end.deadExperts).toBeGreaterThan(0)
  expect(balanced.end.maxViolation).toBeLessThan(0.15)
  expect(balanced.end.deadExperts).toBe(0)
})

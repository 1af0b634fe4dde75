import { expect, test } from 'vitest'
import { createReading, unavailableReading } from '../reading/reading.js'
import { costPerMillionRequests, type RequestCostOptions } from './request-cost.js'
import { costPerMillionTokens } from './token-cost.js'

const energyPerRequest = createReading({
  joules: 90,
  low: 80,
  high: 120,
  method: 'derived',
  source: 'nvml',
  seconds: 1,
})
const options: RequestCostOptions = {
  hardware: { dollarsPerHour: 2, includesElectricity: false },
  promptTokens: 1000,
  outputTokens: 200,
  prefillTokensPerSecond: 20_000,
  decodeTokensPerSecond: 1000,
  energyPerRequest,
  dollarsPerKilowattHour: 0.1,
}

test('a request costs its prompt at the rate of prefill and its output at the rate of decode', () => {
  const tokens = (tokensPerSecond: number): number =>
    costPerMillionTokens({ ...options, tokensPerSecond, energyPerToken: energyPerRequest }).hardware
  const { hardware, phases, electricity, method } = costPerMillionRequests({ ...options, utilisation: 1 })
  expect(phases.prefill).toBeCloseTo(1000 * tokens(20_000), 9)
  expect(phases.decode).toBeCloseTo(200 * tokens(1000), 9)
  expect(hardware).toBeCloseTo(phases.prefill + phases.decode, 9)
  expect(electricity?.high).toBeCloseTo((120e6 / 3.6e6) * 0.1, 12)
  expect(method).toBe('derived')
})

test('a discount rate charges for the money as well: the payments are worth the price less the residual today', () => {
  const [price, lifeYears, residual, rate] = [35_000, 4, 5000, 0.08]
  const perHour = (discountRate: number): number =>
    costPerMillionRequests({
      ...options,
      hardware: { price, lifeYears, residual, discountRate },
      promptTokens: 0,
      outputTokens: 3600,
      decodeTokensPerSecond: 1, // an hour each
    }).hardware / 1e6
  const paid = [1, 2, 3, 4].reduce((sum, year) => sum + (perHour(rate) * 8766) / (1 + rate) ** year, 0)
  expect(paid + residual / (1 + rate) ** lifeYears).toBeCloseTo(price, 6)
  expect(perHour(0)).toBeCloseTo(30_000 / 4 / 8766, 12)
  expect(perHour(1e-12)).toBeCloseTo(perHour(0), 9)
})

test('energy that nobody knows makes the total unknown, not zero', () => {
  const unknown = unavailableReading({ source: 'rapl', seconds: 1, reasons: ['EACCES'] })
  const cost = costPerMillionRequests({ ...options, energyPerRequest: unknown })
  expect(cost).toMatchObject({ electricity: null, total: null, method: 'unavailable', reasons: ['EACCES'] })
})

test.each<[string, Partial<RequestCostOptions>]>([
  ['no tokens at all', { promptTokens: 0, outputTokens: 0 }],
  ['negative tokens', { outputTokens: -1 }],
  ['a rate of 0', { prefillTokensPerSecond: 0 }],
  ['NaN', { decodeTokensPerSecond: Number.NaN }],
  ['a discount rate in percent', { hardware: { price: 1, lifeYears: 1, discountRate: 8 } }],
  ['a cost beyond all numbers', { outputTokens: 1e308, decodeTokensPerSecond: 1e-3 }],
])('%s is refused', (_, wrong) => {
  expect(() => costPerMillionRequests({ ...options, ...wrong })).toThrow(
    expect.objectContaining({ code: 'ERR_BIO_VALUE' }),
  )
})

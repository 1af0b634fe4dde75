import { expect, test } from 'vitest'
import { createReading } from '../reading/reading.js'
import { annualCost } from './annual-cost.js'
import { breakEven } from './break-even.js'
import { costPerMillionTokens, type TokenCostOptions } from './token-cost.js'

/**
 * Serving a Llama of 8 billion parameters on an H100 at $2/h and $0.10/kWh, PUE 1. Joules per token at 8 and at 512 sequences are
 * those of the ML.ENERGY leaderboard (2026-02-27), tokens per second those at which the GPU costs $0.52 and $0.057 a million.
 */
function served(joules: number, tokensPerSecond: number): TokenCostOptions {
  return {
    hardware: { dollarsPerHour: 2, includesElectricity: false },
    tokensPerSecond,
    energyPerToken: createReading({ joules, method: 'measured', source: 'nvml', seconds: 1 }),
    dollarsPerKilowattHour: 0.1,
  }
}

test.each([
  {
    sequences: 8,
    joules: 0.455,
    tokensPerSecond: 1068,
    electricity: '0.013',
    hardware: '0.52',
    share: '2.4',
  },
  {
    sequences: 512,
    joules: 0.07,
    tokensPerSecond: 9714,
    electricity: '0.002',
    hardware: '0.06',
    share: '3.4',
  },
])(
  'at $sequences sequences electricity is $$electricity a million tokens beside $$hardware for the GPU: $share %',
  ({ joules, tokensPerSecond, electricity, hardware, share }) => {
    const cost = costPerMillionTokens(served(joules, tokensPerSecond))
    expect(cost.electricity!.expected.toFixed(3)).toBe(electricity)
    expect(cost.hardware.toFixed(2)).toBe(hardware)
    expect(((cost.electricity!.expected / cost.hardware) * 100).toFixed(1)).toBe(share)
  },
)

test('a fifth of the utilisation turns $0.28 into $1.40', () => {
  const at = (utilisation: number): number =>
    costPerMillionTokens({
      hardware: { dollarsPerHour: 2, includesElectricity: true },
      tokensPerSecond: 1984,
      utilisation,
      energyPerToken: createReading({ joules: 0.3, method: 'measured', source: 'nvml', seconds: 1 }),
    }).hardware
  expect([at(1).toFixed(2), at(0.2).toFixed(2)]).toEqual(['0.28', '1.40'])
})

test('a cent for each of a million requests a day is $3.65M a year; halving it saves $1.83M and pays for $100,000 in 20 days', () => {
  expect(annualCost(0.01, { unitsPerDay: 1e6 }).expected).toBe(3_650_000)
  const { savingPerDay, days } = breakEven({
    before: 0.01,
    after: 0.005,
    unitsPerDay: 1e6,
    oneOffCost: 100_000,
  })
  expect(annualCost(savingPerDay.expected, { unitsPerDay: 1 }).expected).toBe(1_825_000)
  expect(days.expected).toBe(20)
})

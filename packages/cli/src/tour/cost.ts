import {
  annualCost,
  breakEven,
  costPerMillionTokens,
  scaleReading,
  type Days,
  type Reading,
} from '@bio/energy'

/** Money, with everything that was assumed. */
export interface CostReport {
  readonly assumptions: {
    readonly dollarsPerHour: number
    readonly utilisation: number
    readonly tokensPerDay: number
    readonly oneOffDollars: number
  }
  readonly dollarsPerMillionTokens: { readonly baseline: number; readonly optimized: number }
  readonly dollarsPerYear: { readonly baseline: number; readonly optimized: number }
  /** Until the one-off cost of the change is earned back. */
  readonly breakEvenDays: Days
}

interface Served {
  readonly tokensPerSecond: number
  readonly energy: Reading
  readonly tokens: number
}

/** What the tokens cost on a rented machine, before and after, and when the change has paid for itself. */
export function costStep(
  { baseline, optimized }: { baseline: Served; optimized: Served },
  { dollarsPerHour }: { dollarsPerHour: number },
): CostReport {
  const assumptions = { dollarsPerHour, utilisation: 0.5, tokensPerDay: 1e8, oneOffDollars: 5000 }
  const perMillion = ({ tokensPerSecond, energy, tokens }: Served): number =>
    costPerMillionTokens({
      hardware: { dollarsPerHour, includesElectricity: true },
      tokensPerSecond,
      utilisation: assumptions.utilisation,
      energyPerToken: scaleReading(energy, 1 / tokens),
    }).hardware
  const cost = { baseline: perMillion(baseline), optimized: perMillion(optimized) }
  const unitsPerDay = assumptions.tokensPerDay / 1e6
  return {
    assumptions,
    dollarsPerMillionTokens: cost,
    dollarsPerYear: {
      baseline: annualCost(cost.baseline, { unitsPerDay }).expected,
      optimized: annualCost(cost.optimized, { unitsPerDay }).expected,
    },
    breakEvenDays: breakEven({
      before: cost.baseline,
      after: cost.optimized,
      unitsPerDay,
      oneOffCost: assumptions.oneOffDollars,
    }).days.expected,
  }
}

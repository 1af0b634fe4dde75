import fc from 'fast-check'
import { expect, test } from 'vitest'
import { SteadySource } from '../meter/__fixtures__/steady-source.js'
import { EnergyMeter } from '../meter/energy-meter.js'
import { RequestEnergy } from './request-energy.js'

interface Item {
  readonly id: number
  readonly cost: number
}

/** Time passes with some power, a step of some items begins, or one that runs ends. */
type Event =
  | { readonly kind: 'pass'; readonly joules: number }
  | { readonly kind: 'begin'; readonly items: readonly Item[] }
  | { readonly kind: 'end'; readonly which: number }

const event: fc.Arbitrary<Event> = fc.oneof(
  fc.record({ kind: fc.constant('pass' as const), joules: fc.double({ min: 0, max: 100, noNaN: true }) }),
  fc.record({
    kind: fc.constant('begin' as const),
    items: fc.array(fc.record({ id: fc.nat(9), cost: fc.integer({ min: 0, max: 50 }) }), { maxLength: 6 }),
  }),
  fc.record({ kind: fc.constant('end' as const), which: fc.nat(9) }),
)

/** The definition, written down again: joules by request, and of nobody. */
class Oracle {
  readonly requests = new Map<number, number>()
  idle = 0
  readonly running: (readonly Item[])[] = []

  begin(items: readonly Item[]): void {
    this.running.push(items)
    for (const { id } of items) this.requests.set(id, this.requests.get(id) ?? 0)
  }

  pass(joules: number, fixedCost: number): void {
    const steps = this.running.filter((items) => items.length > 0)
    if (steps.length === 0) this.idle += joules
    for (const items of steps) {
      const total = items.reduce((sum, { cost }) => sum + cost, fixedCost)
      for (const { id, cost } of items) {
        const share = total === 0 ? 1 / items.length : (cost + fixedCost / items.length) / total
        this.requests.set(id, this.requests.get(id)! + (joules / steps.length) * share)
      }
    }
  }
}

const near = (value: number, expected: number, scale: number): void =>
  expect(Math.abs(value - expected)).toBeLessThanOrEqual(1e-9 * Math.max(1, scale))

test('with any overlap of steps, the requests and idle sum to the window, each as the definition says', () =>
  fc.assert(
    fc.asyncProperty(
      fc.array(event, { maxLength: 60 }),
      fc.double({ min: 0, max: 100, noNaN: true }),
      fc.integer({ min: 1, max: 12 }),
      async (events, fixedCost, maxRequests) => {
        const source = new SteadySource('rapl', 'cpu', 1)
        await using meter = await EnergyMeter.open({ sources: [source], sampleSeconds: 60 })
        const window = meter.begin()
        const requests = new RequestEnergy({
          meter,
          key: ({ id }: Item) => id,
          cost: ({ cost }) => cost,
          fixedCost,
          maxRequests,
        })
        const oracle = new Oracle()
        const ends: (() => void)[] = []
        const runs: Promise<void>[] = []
        const step = requests.wrap((_items) => new Promise<void>((resolve) => ends.push(resolve)))
        const end = async (index: number): Promise<void> => {
          const run = runs.splice(index, 1)[0]
          ends.splice(index, 1)[0]?.()
          await run
          oracle.running.splice(index, 1)
        }
        for (const each of events) {
          if (each.kind === 'pass') {
            oracle.pass(each.joules, fixedCost)
            source.time += each.joules
          } else if (each.kind === 'begin') {
            oracle.begin(each.items)
            runs.push(step(each.items))
          } else if (runs.length > 0) await end(each.which % runs.length)
        }
        while (runs.length > 0) await end(0)

        const whole = window.end().joules!
        const { idle, total } = requests.read()
        const ids = [...oracle.requests.keys()]
        const taken = ids.map((id) => requests.take(id))
        const unclaimed = requests.read().unclaimed
        const sum = taken.reduce((all, { joules }) => all + (joules ?? 0), unclaimed.joules! + idle.joules!)
        near(sum, whole, whole)
        near(total.joules!, whole, whole)
        near(idle.joules!, oracle.idle, whole)
        for (const reading of [...taken, idle, unclaimed, total]) {
          if (reading.joules === null) continue
          expect(reading.low).toBeLessThanOrEqual(reading.joules)
          expect(reading.high).toBeGreaterThanOrEqual(reading.joules)
        }
        if (ids.length <= maxRequests) {
          ids.forEach((id, index) => near(taken[index]!.joules!, oracle.requests.get(id)!, whole))
        }
      },
    ),
    { numRuns: 500 },
  ))

import { expect, test } from 'vitest'
import { Caution } from './caution.js'

/** Broken promises of `total`, where one is kept if its stall, in runs, is no longer than the caution, 32 for each run. */
function play({
  stall,
  total,
  caution = new Caution(),
}: {
  stall: () => number
  total: number
  caution?: Caution
}) {
  let broken = 0
  for (let run = 0; run < total / 32; run++) {
    for (let index = 0, late = stall(); index < 32; index++)
      if (late > caution.runs) {
        caution.broke()
        broken += 1
      }
    caution.ran(32)
  }
  return broken / total
}

test('nothing is kept back while every promise is kept', () => {
  const caution = new Caution()
  expect(play({ stall: () => 0, total: 32_000, caution })).toBe(0)
  expect(caution.runs).toBe(0)
})

test.each([0.02, 0.05])(
  'where %d of the runs stall for 1.5 runs, one in a hundred promises breaks',
  (chance) => {
    let state = 1
    const random = (): number => (state = (state * 16_807) % 2_147_483_647) / 2_147_483_647
    const stall = (): number => (random() < chance ? 1.5 : 0)
    const share = play({ stall, total: 1_000_000 })
    expect(share).toBeGreaterThan(0.001)
    expect(share).toBeLessThan(0.01)
  },
)

test('an outage is forgotten', () => {
  const caution = new Caution()
  play({ stall: () => Infinity, total: 3200, caution })
  expect(caution.runs).toBe(3)
  play({ stall: () => 0, total: 32 * 5000, caution })
  expect(caution.runs).toBeLessThan(0.05)
})

test('what is refused while others take the place teaches nothing; what a later run had room and time for does', () => {
  const caution = new Caution()
  play({ stall: () => Infinity, total: 3200, caution })
  const learnt = caution.runs
  for (let request = 0; request < 64; request++) caution.refused(10)
  caution.spared(0, 32, 5) // a full run
  expect(caution.runs).toBe(learnt)
  caution.spared(16, 16, 5) // half a run, with room for half a run
  expect(caution.runs).toBeCloseTo(learnt - 0.6, 9)
  caution.spared(32, 32, 11) // room enough, but too late for them
  caution.spared(32, 32, 5)
  expect(caution.runs).toBeCloseTo(learnt - 0.6, 9)
})

test('where every burst leaves room for those refused, caution ends; however many they were, it is never negative', () => {
  const caution = new Caution()
  play({ stall: () => Infinity, total: 3200, caution })
  for (let burst = 0; burst < 10; burst++) {
    for (let request = 0; request < 96; request++) caution.refused(burst + 1)
    caution.spared(32, 32, burst)
  }
  expect(caution.runs).toBe(0)
})

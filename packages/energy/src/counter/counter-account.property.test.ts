import fc from 'fast-check'
import { expect, test } from 'vitest'
import { CounterAccount } from './counter-account.js'
import { counterStep } from './counter-step.js'

const maxWatts = 400
const refreshSeconds = 0.002
const unit = 0.5 // coarse, as a platform's counter is
const modulus = 500 // joules, so that wraps are frequent

/** True energy at any time for a power that changes every `step` seconds; the counter shows it late, in units, modulo. */
function simulate(
  powers: readonly number[],
  step: number,
): { truth: (time: number) => number; shown: (time: number) => number } {
  const truth = (time: number): number => {
    const whole = Math.floor(time / step)
    let joules = 0
    for (let index = 0; index < whole; index++) joules += powers[index % powers.length]! * step
    return joules + powers[whole % powers.length]! * (time - whole * step)
  }
  const shown = (time: number): number => {
    const refreshed = Math.floor(time / refreshSeconds) * refreshSeconds
    return (Math.floor((123 + truth(refreshed)) / unit) * unit) % modulus
  }
  return { truth, shown }
}

test('the truth lies within the bounds for any power, any sampling times and any windows', () => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: 10, max: maxWatts, noNaN: true }), { minLength: 1, maxLength: 20 }),
      fc.double({ min: 0.01, max: 2, noNaN: true }),
      fc.array(fc.double({ min: 1e-4, max: 3, noNaN: true }), { minLength: 2, maxLength: 30 }),
      fc.nat(),
      (powers, step, gaps, begin) => {
        const { truth, shown } = simulate(powers, step)
        let time = 1
        const read = (): number => shown(time)
        const account = new CounterAccount(
          {
            source: 'rapl',
            domain: 'package-0',
            read,
            modulus,
            unit,
            maxWatts,
            refreshSeconds,
            stuckAfterSeconds: 0.1,
          },
          () => time,
        )
        let start = 0
        let span = account.startSpan()
        gaps.forEach((gap, index) => {
          if (index === begin % gaps.length) {
            span = account.startSpan()
            start = time
          }
          time += gap
          account.sample()
        })
        start ||= 1
        const reading = span.read()
        const used = truth(time) - truth(start)
        const countable = gaps.every((gap) => maxWatts * (gap + refreshSeconds) + unit < modulus)
        if (reading.joules === null) {
          // a whole number of wraps between two samples looks like standing still: one chance in modulus / unit
          expect(reading.reasons.join()).toContain('stood still')
          expect(countable).toBe(false)
          return
        }
        expect(reading.low).toBeLessThanOrEqual(used + 1e-6)
        expect(reading.high).toBeGreaterThanOrEqual(used - 1e-6)
        if (countable) expect(reading.method).toBe('measured')
      },
    ),
    { numRuns: 500 },
  )
})

test('an account that somebody else feeds now and then holds the truth, however old its last read is', () => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: 10, max: maxWatts, noNaN: true }), { minLength: 1, maxLength: 20 }),
      fc.array(fc.double({ min: 1e-3, max: 0.5, noNaN: true }), { minLength: 2, maxLength: 30 }),
      fc.array(fc.boolean(), { minLength: 30, maxLength: 30 }),
      fc.nat(),
      (powers, gaps, fed, begin) => {
        const { truth, shown } = simulate(powers, 0.05)
        let time = 1
        const counter = { source: 'rapl', domain: 'package-0', modulus, unit, maxWatts, refreshSeconds }
        const account = new CounterAccount({ ...counter, stuckAfterSeconds: 1e9 }, () => time)
        account.take({ value: shown(time), time })
        let last = time
        let start = 1
        let span = account.startSpan()
        gaps.forEach((gap, index) => {
          if (index === begin % gaps.length) {
            span = account.startSpan()
            start = time
          }
          time += gap
          // unread for so long that a wrap could be missed is another test's matter
          if (fed[index] === true || time - last > 0.5) account.take({ value: shown((last = time)), time })
        })
        const reading = span.read()
        const used = truth(time) - truth(start)
        expect(reading.low).toBeLessThanOrEqual(used + 1e-6)
        expect(reading.high).toBeGreaterThanOrEqual(used - 1e-6)
      },
    ),
    { numRuns: 500 },
  )
})

test('a step that is no fault holds the true energy, whatever the wraps', () => {
  fc.assert(
    fc.property(
      fc.double({ min: 0, max: modulus - unit, noNaN: true }),
      fc.double({ min: 1e-3, max: 20, noNaN: true }),
      fc.double({ min: 0, max: maxWatts, noNaN: true }),
      (before, seconds, watts) => {
        const used = watts * seconds
        const step = counterStep(before, (before + used) % modulus, seconds, {
          modulus,
          maxWatts,
          refreshSeconds,
          unit,
        })
        expect(step).not.toHaveProperty('fault')
        if ('fault' in step) return
        expect(step.low).toBeLessThanOrEqual(used + 1e-6)
        expect(step.high).toBeGreaterThanOrEqual(used - 1e-6)
      },
    ),
  )
})

test('a counter without a modulus never wraps: going back is a fault', () => {
  const limits = { modulus: null, maxWatts, refreshSeconds, unit }
  expect(counterStep(10, 9, 1, limits)).toEqual({
    fault: 'the counter went back by 1 J (reset or driver reload)',
  })
  expect(counterStep(10, 12, 1, limits)).toEqual({ low: 2, high: 2, wraps: 0 })
})

test('going back by more than the range is a fault', () => {
  expect(counterStep(900, 100, 1, { modulus, maxWatts: 1e6, refreshSeconds, unit })).toHaveProperty('fault')
})

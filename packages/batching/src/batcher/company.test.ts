import { expect, test } from 'vitest'
import { Company } from './company.js'

/** A server with fixed run time: learns from arrivals while always free, n waiting counted from each start. */
function watch(
  company: Company,
  gaps: readonly number[],
  savedMs: number,
  count: (index: number) => number,
): number {
  let now = 0
  for (const [index, gap] of gaps.entries()) {
    company.await('arrival', now, { count: count(index), savedMs })
    now += gap
    company.arrived(now)
  }
  return now
}

test('a lone client in a closed loop is never made to wait', () => {
  const company = new Company()
  const now = watch(
    company,
    Array.from({ length: 50 }, () => 10),
    10,
    () => 1,
  )
  company.await('arrival', now, { count: 1, savedMs: 10 })
  expect(company.waitUntil(1)).toBe(-Infinity)
})

test('two clients that come together are awaited for each other, and for no third', () => {
  const company = new Company()
  const gaps = Array.from({ length: 100 }, (_, index) => (index % 2 === 0 ? 0.1 : 12))
  const now = watch(company, gaps, 10, (index) => 1 + (index % 2))
  company.await('arrival', now, { count: 1, savedMs: 10 })
  expect(company.waitUntil(1)).toBe(now + 5)
  company.await('arrival', now, { count: 2, savedMs: 10 })
  expect(company.waitUntil(2)).toBe(-Infinity)
})

test('after a run ended, its client is awaited if it usually comes back at once', () => {
  const company = new Company()
  for (let run = 0; run < 20; run++) {
    company.await('end', run * 10, { count: 1, savedMs: 10 })
    company.arrived(run * 10 + 0.2)
  }
  company.await('end', 200, { count: 1, savedMs: 10 })
  expect(company.waitUntil(1)).toBe(205)
  company.await('arrival', 200, { count: 1, savedMs: 10 })
  expect(company.waitUntil(1)).toBe(-Infinity) // another moment, another habit
})

test('where a larger run saves nothing, nobody waits', () => {
  const company = new Company()
  const now = watch(
    company,
    Array.from({ length: 50 }, () => 0.01),
    10,
    () => 1,
  )
  company.await('arrival', now, { count: 1, savedMs: 0 })
  expect(company.waitUntil(1)).toBeLessThanOrEqual(now)
})

test('under a steady stream a batch does not wait for one after the other: its requests wait at most what a run saves, in all', () => {
  const company = new Company()
  const savedMs = 10
  const gapMs = 0.2
  let now = 0
  let longestMs = 0
  for (let batch = 0; batch < 100; batch++) {
    let waitedMs = 0
    for (let count = 1; count <= 32; count++) {
      company.await('arrival', now, { count, savedMs })
      if (company.waitUntil(count) <= now) break
      waitedMs += count * gapMs
      now += gapMs
      company.arrived(now)
    }
    longestMs = Math.max(longestMs, waitedMs)
    company.arrived((now += gapMs)) // whoever comes while the run is busy
  }
  expect(longestMs).toBeGreaterThan(gapMs)
  expect(longestMs).toBeLessThanOrEqual(savedMs)
})

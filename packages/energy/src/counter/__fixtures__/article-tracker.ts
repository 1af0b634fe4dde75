import type { Reading } from '../../reading/reading.js'
import { PowerAccount } from '../power-account.js'
import { PowerSignal } from './power-signal.js'

/**
 * The tracker of the founding article over a GPU of 70 W idle and 600 W busy: five iterations to warm up, then one power value at the end
 * of each of 50, joined by trapezoids; the power is the average of the last second, refreshed every 100 ms, `phase` (0 to 1) after the first
 * work. Beside it our reading of the same 50 iterations, sampled every 20 ms.
 */
export function trackByArticle(
  iteration: number,
  phase: number,
): { joules: number; truth: number; reading: Reading } {
  const signal = new PowerSignal([
    { seconds: 10, watts: [70, 70] },
    { seconds: 55 * iteration + 1, watts: [600, 600] },
  ])
  const shown = (time: number): number => {
    const refreshed = (Math.floor(time / 0.1 - phase) + phase) * 0.1
    return signal.mean(refreshed - 1, refreshed)
  }
  const start = 10 + 5 * iteration
  let joules = 0
  for (let index = 0; index < 50; index++) {
    const [before, after] = [start + index * iteration, start + (index + 1) * iteration]
    joules += ((shown(before) + shown(after)) / 2) * iteration
  }
  return { joules, truth: 600 * 50 * iteration, reading: readOurs(shown, start, start + 50 * iteration) }
}

function readOurs(shown: (time: number) => number, start: number, end: number): Reading {
  let time = start - 5
  const account = new PowerAccount(
    {
      source: 'test',
      domain: 'gpu-0',
      read: () => shown(time),
      maxWatts: 875,
      refreshSeconds: 0.1,
      averagingSeconds: 1,
      unitWatts: 0.001,
      assumptions: [],
    },
    () => time,
  )
  const sampleUntil = (until: number): void => {
    for (; time < until - 0.02; time += 0.02) account.sample()
    time = until
  }
  sampleUntil(start)
  const span = account.startSpan()
  sampleUntil(end)
  return span.read()
}

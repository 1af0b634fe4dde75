import { join } from 'node:path'
import { Rng } from '@bio/tensor'
import { expect, test } from 'vitest'
import { pixelsPerDigit, readDigits, type Digits } from './digits.js'
import { experiment } from './experiment.js'
import { page } from './page/page.js'
import type { Settings } from './settings.js'
import { exitShares, summaryText } from './summary.js'

/** Ten digits that are easy to tell apart, but for noise: two bands of lines are bright. */
function drawn(size: number): Digits {
  const rng = new Rng(1)
  const labels = Int32Array.from({ length: size }, (_, i) => i % 10)
  const pixels = new Float32Array(size * pixelsPerDigit)
  labels.forEach((label, row) => {
    const noise = rng.next() * 0.6
    for (let i = 0; i < pixelsPerDigit; i++) {
      const line = Math.floor(i / 28)
      const bright = line >= 2 * label && line < 2 * label + 8
      pixels[row * pixelsPerDigit + i] = (1 - noise) * Number(bright) + noise * rng.next()
    }
  })
  return { size, pixels, labels }
}

const settings: Settings = {
  seed: 1,
  model: { dim: 16, layers: 4, heads: 1, hidden: 24, exits: [1, 2, 4] },
  train: { epochs: 6, batch: 16, learningRate: 5e-3, shift: 0 },
  counts: [400, 400, 100],
  batch: 16,
  epsilon: 0.02,
  repetitions: { ways: 1, curves: 1 },
  thresholds: [0.5, 0.9, 1.1],
}

test('a small model learns drawn digits; its calibrated exits are early and right; the page is whole', async () => {
  const steps = new Set<string>()
  const found = await experiment(drawn(900), settings, {
    signal: new AbortController().signal,
    progress: (step) => steps.add(step),
  })
  expect([...steps]).toEqual(['training', 'calibrating', 'many thresholds', 'measuring'])
  const { full, calibrated, curves } = found
  expect(full.accuracy).toBeGreaterThan(0.9)
  expect(exitShares(full, 3)).toEqual([0, 0, 1])
  expect(full.accuracy - calibrated.accuracy).toBeLessThan(0.05)
  expect(exitShares(calibrated, 3)[2]).toBeLessThan(0.5)
  // A probability is never above 1: nobody leaves, under either rule.
  for (const curve of [curves.perSample, curves.batchMean])
    expect(curve[2]!.measured.exits).toEqual(full.exits)
  expect(curves.perSample[2]!.measured.accuracy).toBe(full.accuracy)
  // Rows of a batch leave together by the mean, each for itself otherwise.
  const { exits } = curves.batchMean[0]!.measured
  for (const [row, exit] of exits.entries()) expect(exit).toBe(exits[row - (row % 16)])
  const html = page(found).replaceAll(/data:image[^"]*/g, 'data:')
  expect(html.match(/(?:src|href)="(?!data:)[^"]*/g)).toBeNull()
  expect(html.match(/.{20}(?:NaN|undefined|Infinity)/g)).toBeNull()
  expect(summaryText(found).split('\n').length).toBeGreaterThanOrEqual(4)
})

test('Ctrl-C ends it with its reason', async () => {
  const stop = new AbortController()
  const run = experiment(drawn(900), settings, {
    signal: stop.signal,
    progress: () => stop.abort(new Error('enough')),
  })
  await expect(run).rejects.toThrow('enough')
})

// Empty is as good as absent.
const data = process.env['BIO_DATA'] || undefined
if (data === undefined) console.log('skipped: real digits (BIO_DATA is not set)')

test.skipIf(data === undefined)('on MNIST, digits leave early and within ε of full depth', async () => {
  const small: Settings = {
    ...settings,
    model: { dim: 24, layers: 4, heads: 2, hidden: 48, exits: [1, 2, 4] },
    train: { epochs: 4, batch: 32, learningRate: 4e-3, shift: 0 },
    counts: [2500, 600, 600],
  }
  const { full, calibrated } = await experiment(readDigits(join(data!, 'mnist')), small, {
    signal: new AbortController().signal,
    progress: () => {},
  })
  expect(full.accuracy).toBeGreaterThan(0.7)
  // ε is 2 %; the test digits add a sampling error of their own, three standard deviations of it.
  expect(full.accuracy - calibrated.accuracy).toBeLessThan(0.02 + 3 * Math.sqrt(0.02 / 600))
  expect(exitShares(calibrated, 3)[2]).toBeLessThan(0.5)
})

import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { coldLayers } from './linear.mjs'
import { relativeError, spread, withTarget } from './measure.mjs'
import { Noise } from './noise.mjs'
import { dispatch, route } from './parts/experts.mjs'
import { onOneProcessor } from './pin.mjs'

test('noise is the same for the same seed, wraps around its pool, and differs between layers', () => {
  const noise = new Noise(1009)
  expect(noise.take(3, 2500)).toEqual(noise.take(3, 2500))
  expect(noise.take(3, 1009 + 5).slice(1009)).toEqual(noise.take(3, 5))
  expect(noise.take(3, 100)).not.toEqual(noise.take(4, 100))
  expect(noise.take(0, 1009).every((value) => value >= -1 && value < 1)).toBe(true)
})

test('cold layers are more than 400 MB together', () => {
  for (const bytes of [1, 2e6, 10e6, 500e6]) expect(coldLayers(bytes) * bytes).toBeGreaterThan(400e6)
})

test('the compared elements reach from the first to the last', () => {
  expect(spread(1)).toEqual([0])
  expect(spread(3)).toEqual([0, 1, 2])
  expect(spread(1e6).at(-1)).toBe(999_999)
  expect(new Set(spread(1e6)).size).toBe(509)
})

test('the relative error of what is twice as large is 1, and NaN of a peer that answers NaN', () => {
  expect(relativeError([3, 4], [6, 8])).toBe(1)
  expect(relativeError([3, 4], [3, 4])).toBe(0)
  expect(relativeError([3, 4], [3, NaN])).toBeNaN()
})

test('the target of a row is the strictest of what is wanted of it, whichever way better points', () => {
  const peers = [
    { name: 'PyTorch', value: 50 },
    { name: 'numpy', value: 60 },
  ]
  const rate = { better: 'higher', ours: 80, limit: 100, peers }
  expect(withTarget(rate, { ofLimit: 0.85, ratios: { PyTorch: 1.2 } })).toMatchObject({
    target: 85,
    met: false,
  })
  expect(withTarget(rate, { ofLimit: 0.5, ratios: { PyTorch: 1.2, numpy: 1.3 } })).toMatchObject({
    target: 78,
    met: true,
  })
  const time = { better: 'lower', ours: 80, limit: 40, peers }
  expect(withTarget(time, { ofLimit: 0.4, ratios: { numpy: 0.5 } })).toMatchObject({ target: 100, met: true })
  expect(withTarget(time, { ratios: { numpy: 1.5, absent: 9 } })).toMatchObject({ target: 40, met: false })
  expect(withTarget(rate, undefined)).toBe(rate)
})

test('a routing gives every token different experts, and Zipf favours the first', () => {
  const settings = { tokens: 500, experts: 16, topK: 4, seed: 0 }
  const shareOfFirst = (routing) => routing.filter((chosen) => chosen.includes(0)).length / 500
  const [even, zipf] = [false, true].map((law) => route({ ...settings, zipf: law }))
  for (const chosen of [...even, ...zipf]) expect(new Set(chosen).size).toBe(4)
  expect(shareOfFirst(even)).toBeCloseTo(4 / 16, 1)
  expect(shareOfFirst(zipf)).toBeGreaterThan(0.6)
})

test('dispatch sorts rows by expert and keeps where each came from', () => {
  const { offsets, tokenOf, slotOf } = dispatch(
    [
      [2, 0],
      [2, 1],
    ],
    4,
  )
  expect([...offsets]).toEqual([0, 1, 2, 4, 4])
  expect([...tokenOf]).toEqual([0, 1, 0, 1])
  expect(slotOf).toEqual([1, 3, 0, 2])
})

test('where processes can be pinned they share the last processor meanwhile, and get all of theirs back, also after a failure', async () => {
  const child = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 60_000)'])
  const allowed = () =>
    /^Cpus_allowed_list:\s*(.+)$/m.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))[1]
  try {
    expect(await onOneProcessor(false, [child.pid], () => 1)).toEqual({ pinned: false, result: 1 })
    const { pinned } = await onOneProcessor(true, [child.pid], () => 1)
    if (!pinned) return
    const before = allowed()
    const failing = onOneProcessor(true, [child.pid], () => {
      expect(allowed()).toBe(/\d+$/.exec(before)[0])
      throw new Error('failed')
    })
    await expect(failing).rejects.toThrow('failed')
    expect(allowed()).toBe(before)
  } finally {
    child.kill()
  }
})

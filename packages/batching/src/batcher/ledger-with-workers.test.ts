import { expect, test } from 'vitest'
import { playWithWorkers } from './__fixtures__/play-with-workers.js'

test('with real workers that are killed and replaced, every request settles once and the healthy succeed', async () => {
  const codes = new Map<string, number>()
  for (let seed = 0; seed < 5; seed++) {
    const kind = seed === 4 ? 'process' : 'thread'
    expect(await playWithWorkers(seed, { kind, codes }), `seed ${seed}`).toEqual([])
  }
  expect(codes.get('ERR_BIO_WORKER_CRASHED')).toBeGreaterThan(0)
})

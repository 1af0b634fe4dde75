import { expect, test } from 'vitest'
import { sampleFiles } from './native-sampler.js'

const feed = await sampleFiles(['/proc/self/comm'], 10)
if (feed === undefined) console.log('skipped: no native sampler')

test.skipIf(feed === undefined)(
  'an event loop that is blocked for 10 s loses no sample of 10 per second',
  () => {
    let ticks = 0
    const timer = setInterval(() => ticks++, 100)
    feed!.take()
    const end = performance.now() + 10_000
    while (performance.now() < end);
    const rows = feed!.take()
    clearInterval(timer)
    feed!.close()
    expect(ticks).toBe(0) // the control: a timer of that loop
    // the last row is the one that `take` reads itself; a busy machine may hold the thread up once or twice
    expect(rows.length - 1).toBeGreaterThanOrEqual(97)
    expect(rows.length - 1).toBeLessThanOrEqual(101)
  },
)

import { expect, test } from 'vitest'
import { batched, oneByOne } from './compare.js'
import { embedWith } from './embed.js'
import { startFakeApi } from './fake-api.js'

const texts = (count: number): string[] => Array.from({ length: count }, (_, index) => 'x'.repeat(index))

test('N texts cost N / 32 calls, and the small tenant does not wait for the large one', async () => {
  const outcome = await batched({ bulk: texts(600), chat: texts(40) })
  expect(outcome).toMatchObject({ vectors: 640, answered: 20 })
  expect(outcome.doneAtCall['chat']).toBeLessThanOrEqual(5)
  expect(outcome.doneAtCall['bulk']).toBe(20)
})

test('one by one, each text is a call, and the small tenant comes last', async () => {
  const outcome = await oneByOne({ bulk: texts(20), chat: texts(4) })
  expect(outcome).toMatchObject({ vectors: 24, answered: 24, doneAtCall: { bulk: 20, chat: 24 } })
})

test('a refused call comes back when the API says, and no sooner', async () => {
  const api = await startFakeApi({ capacity: 1, perSecond: 10 })
  const embed = embedWith(api.url)
  expect(await embed(['first'])).toEqual([[5]])
  expect(await embed(['later'])).toEqual([[5]])
  await api.close()
  expect(api.counts.answered).toBe(2)
  expect(api.counts.refused).toBeLessThanOrEqual(2) // not a storm of calls
})

test('a call that nobody wants any more is given up while it waits', async () => {
  const api = await startFakeApi({ capacity: 1, perSecond: 0.01 })
  const embed = embedWith(api.url)
  await embed(['first'])
  const controller = new AbortController()
  const unwanted = embed(['second'], { signal: controller.signal })
  setTimeout(() => controller.abort(), 20)
  await expect(unwanted).rejects.toThrow('aborted')
  await api.close()
})

import { expect, test } from 'vitest'
import { compare } from './compare.js'

test('batching answers every good text, refuses the bad one, and needs a batch per 32', async () => {
  const { batched } = await compare(['', ...Array.from({ length: 39 }, (_, index) => `text ${index}`)])
  expect(batched).toMatchObject({ answers: 39, refusals: 1, batches: 2 })
})

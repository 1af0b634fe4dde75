import { expect, test } from 'vitest'
import { QueueFullError } from './index.js'

test('a refusal costs no stack trace, and other errors keep theirs', () => {
  const refusal = new QueueFullError('Batcher.submit', { expected: 'a place', retryAfterMs: 3 })
  expect(refusal.stack).toBe(`QueueFullError: ${refusal.message}`)
  expect(new Error('later').stack).toContain('queue-full-error.test')
})

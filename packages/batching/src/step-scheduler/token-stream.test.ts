import { expect, test, vi } from 'vitest'
import type { GenerationResult } from './generation.js'
import { TokenStream } from './token-stream.js'

const result = { tokens: [1, 2], finishReason: 'length' } as unknown as GenerationResult

async function read(stream: TokenStream): Promise<number[]> {
  const tokens: number[] = []
  for await (const token of stream) tokens.push(token)
  return tokens
}

test('every iterator sees every token, whenever it comes', async () => {
  const stream = new TokenStream(0, vi.fn())
  const early = [read(stream), read(stream)]
  stream.push(1)
  await Promise.resolve()
  stream.push(2)
  stream.end(result)
  expect(await Promise.all([...early, read(stream)])).toEqual([
    [1, 2],
    [1, 2],
    [1, 2],
  ])
})

test('tokens asked for ahead of time come in order', async () => {
  const stream = new TokenStream(0, vi.fn())
  const iterator = stream[Symbol.asyncIterator]()
  const asked = [iterator.next(), iterator.next(), iterator.next()]
  stream.push(1)
  stream.push(2)
  stream.end(result)
  expect(await Promise.all(asked)).toEqual([
    { done: false, value: 1 },
    { done: false, value: 2 },
    { done: true, value: undefined },
  ])
})

test('a failure comes after the tokens, in the iterator and in the result', async () => {
  const stream = new TokenStream(0, vi.fn())
  stream.push(1)
  stream.fail(new Error('broken'))
  const iterator = stream[Symbol.asyncIterator]()
  expect(await iterator.next()).toEqual({ done: false, value: 1 })
  await expect(iterator.next()).rejects.toThrow('broken')
  await expect(stream.result).rejects.toThrow('broken')
})

test('leaving abandons what goes on, and not what has ended', async () => {
  const onAbandoned = vi.fn()
  const running = new TokenStream(0, onAbandoned)
  await running[Symbol.asyncIterator]().return!()
  expect(onAbandoned).toHaveBeenCalledTimes(1)
  const ended = new TokenStream(1, onAbandoned)
  ended.push(1)
  ended.end(result)
  for await (const _ of ended) break
  expect(onAbandoned).toHaveBeenCalledTimes(1)
})

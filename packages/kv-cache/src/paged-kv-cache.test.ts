import { isBioError } from '@bio/errors'
import { expect, test } from 'vitest'
import { plainKernels } from './__fixtures__/paged-write.js'
import { PagedKvCache } from './paged-kv-cache.js'
import type { Sequence } from './sequence.js'

const shape = { layers: 1, kvHeads: 1, headDim: 2, blockTokens: 4, kernels: plainKernels }
const blockBytes = 4 * 2 * 2 * 4
const range = (length: number): Int32Array => Int32Array.from({ length }, (_, i) => i)

function cacheOf(blocks: number): PagedKvCache {
  return new PagedKvCache({ ...shape, bytes: blocks * blockBytes })
}

/** Reserves, and commits what is not cached, as a prefill does. */
function fill(cache: PagedKvCache, tokens: Int32Array, scope = ''): Sequence {
  const sequence = cache.open(tokens, { scope })
  expect(sequence.reserve(tokens.length - sequence.cachedTokens)).toBe(true)
  sequence.commit(tokens.subarray(sequence.cachedTokens))
  return sequence
}

function code(action: () => unknown): string | undefined {
  try {
    action()
  } catch (error) {
    return isBioError(error) ? error.code : String(error)
  }
  return undefined
}

test('a new sequence shares the full blocks of one that still runs', () => {
  const cache = cacheOf(8)
  const first = fill(cache, range(10))
  const second = cache.open(range(10))
  expect(second.cachedTokens).toBe(8)
  expect([...second.blockTable]).toEqual([...first.blockTable].slice(0, 2))
  expect(cache.stats()).toMatchObject({ usedBlocks: 3, hitTokens: 8, missTokens: 10 + 2 })
})

test('the last token is never cached, so that a model has one to compute', () => {
  const cache = cacheOf(8)
  fill(cache, range(8)).close()
  expect(cache.open(range(8)).cachedTokens).toBe(4)
  expect(cache.open(range(9)).cachedTokens).toBe(8)
  expect(cache.open(range(1)).cachedTokens).toBe(0)
  expect(cache.open(range(0)).cachedTokens).toBe(0)
})

test('generated tokens are shared like prompt tokens, at once when their block fills', () => {
  const cache = cacheOf(8)
  const sequence = fill(cache, range(6))
  for (let token = 6; token < 8; token += 1) {
    expect(cache.open(range(9)).cachedTokens).toBe(4)
    sequence.reserve(1)
    sequence.commit(Int32Array.of(token))
  }
  expect(cache.open(range(9)).cachedTokens).toBe(8)
})

test('what one scope commits, no other finds', () => {
  const cache = cacheOf(8)
  fill(cache, range(8), 'a')
  expect(cache.open(range(9), { scope: 'b' }).cachedTokens).toBe(0)
  expect(cache.open(range(9)).cachedTokens).toBe(0)
  expect(cache.open(range(9), { scope: 'a' }).cachedTokens).toBe(8)
})

test('two sequences that compute the same block keep it once', () => {
  const cache = cacheOf(8)
  const [first, second] = [cache.open(range(8)), cache.open(range(8))]
  for (const sequence of [first, second]) sequence.reserve(8)
  expect(cache.stats().usedBlocks).toBe(4)
  first.commit(range(8))
  second.commit(range(8))
  expect([...second.blockTable]).toEqual([...first.blockTable])
  expect(cache.stats().usedBlocks).toBe(2)
})

test('reserve is refused when the blocks are in use, and then nothing changed', () => {
  const cache = cacheOf(3)
  const running = fill(cache, range(8))
  const sequence = cache.open(Int32Array.of(9))
  expect(sequence.reserve(5)).toBe(false)
  expect(sequence.reserve(Number.MAX_SAFE_INTEGER)).toBe(false)
  expect(cache.stats().freeBlocks).toBe(1)
  expect(sequence.blockTable.length).toBe(0)
  running.close()
  expect(sequence.reserve(5)).toBe(true)
})

test('the least recently used prefix is evicted first, and its end before its beginning', () => {
  const cache = cacheOf(4)
  fill(cache, range(8), 'old').close()
  fill(cache, range(8), 'new').close()
  cache.open(range(9), { scope: 'old' }).close()
  const other = cache.open(range(4))
  other.reserve(4)
  expect(cache.open(range(9), { scope: 'old' }).cachedTokens).toBe(8)
  expect(cache.open(range(9), { scope: 'new' }).cachedTokens).toBe(4)
  expect(cache.stats().evictions).toBe(1)
})

test('what is reserved and never committed is never found', () => {
  const cache = cacheOf(4)
  const sequence = cache.open(range(8))
  sequence.reserve(8)
  sequence.close()
  expect(cache.open(range(8)).cachedTokens).toBe(0)
  expect(cache.stats()).toMatchObject({ cachedBlocks: 0, usedBlocks: 0 })
})

test('a table that outgrows its prompt keeps its blocks', () => {
  const cache = cacheOf(64)
  const sequence = fill(cache, range(4))
  const [first] = sequence.blockTable
  for (let token = 0; token < 200; token += 1) {
    expect(sequence.reserve(1)).toBe(true)
    sequence.commit(Int32Array.of(token))
  }
  expect(sequence.blockTable.length).toBe(51)
  expect(sequence.blockTable[0]).toBe(first)
  expect(sequence.length).toBe(204)
})

test('after clear nothing is found, and a running sequence shares nothing more', () => {
  const cache = cacheOf(8)
  const running = fill(cache, range(4))
  fill(cache, range(8), 'closed').close()
  cache.clear()
  expect(cache.stats()).toMatchObject({ cachedBlocks: 0, usedBlocks: 1 })
  running.reserve(4)
  running.commit(Int32Array.of(4, 5, 6, 7))
  expect(cache.open(range(9)).cachedTokens).toBe(0)
  expect(cache.fork(running, 6).cachedTokens).toBe(0)
  running.close()
  expect(cache.stats()).toMatchObject({ usedBlocks: 0, cachedBlocks: 0 })
  fill(cache, range(8))
  expect(cache.open(range(9)).cachedTokens).toBe(8)
})

test('slots are block · blockTokens + offset of each position', () => {
  const cache = cacheOf(8)
  cache.open(range(1)).reserve(4)
  const sequence = cache.open(range(1))
  sequence.reserve(6)
  const out = new Int32Array(8).fill(-1)
  cache.slots(sequence, 2, 4, out, 1)
  expect([...sequence.blockTable]).toEqual([1, 2])
  expect([...out]).toEqual([-1, 6, 7, 8, 9, -1, -1, -1])
})

test('write puts a row where the block table says, in its own layer only', () => {
  const cache = new PagedKvCache({ ...shape, layers: 2, bytes: 8 * blockBytes })
  const sequence = cache.open(range(1))
  sequence.reserve(1)
  cache.write(1, Float32Array.of(1, 2), Float32Array.of(3, 4), Int32Array.of(0))
  expect([...cache.keys(1).subarray(0, 2)]).toEqual([1, 2])
  expect([...cache.values(1).subarray(0, 2)]).toEqual([3, 4])
  expect(cache.keys(0).some((value) => value !== 0)).toBe(false)
})

test('a fork has what was written, goes its own way, and pays one block for it', () => {
  const cache = cacheOf(8)
  const trunk = fill(cache, range(6))
  cache.write(0, Float32Array.of(1, 2), Float32Array.of(3, 4), Int32Array.of(5))
  const branches = [cache.fork(trunk, 6), cache.fork(trunk, 6)]
  expect(cache.stats()).toMatchObject({ usedBlocks: 2, hitTokens: 12 })
  for (const branch of branches) expect(branch.reserve(2)).toBe(true)
  expect([...trunk.blockTable]).toEqual([0, 1])
  expect(branches.map(({ blockTable }) => [...blockTable])).toEqual([
    [0, 2],
    [0, 3],
  ])
  for (const slot of [5, 9, 13]) {
    expect([...cache.keys(0).subarray(2 * slot, 2 * slot + 2)]).toEqual([1, 2])
    expect([...cache.values(0).subarray(2 * slot, 2 * slot + 2)]).toEqual([3, 4])
  }
  branches[0]!.commit(Int32Array.of(6, 8))
  expect(cache.open(Int32Array.of(0, 1, 2, 3, 4, 5, 6, 8, 9)).cachedTokens).toBe(8)
  expect(cache.open(range(9)).cachedTokens).toBe(4)
})

test('a fork may begin before the end, also inside a block that is full by now', () => {
  const cache = cacheOf(8)
  const trunk = fill(cache, range(8))
  const branch = cache.fork(trunk, 5)
  branch.reserve(1)
  branch.commit(Int32Array.of(40))
  expect(branch.length).toBe(6)
  expect([...branch.blockTable]).toEqual([0, 2])
  expect(cache.open(range(9)).cachedTokens).toBe(8)
})

test('the last who needs a partly filled block keeps it without a copy', () => {
  const cache = cacheOf(2)
  const trunk = fill(cache, range(6))
  const branch = cache.fork(trunk, 6)
  expect(branch.reserve(1)).toBe(false) // a copy has no room
  expect([...branch.blockTable]).toEqual([0, 1])
  trunk.close()
  expect(branch.reserve(2)).toBe(true)
  expect([...branch.blockTable]).toEqual([0, 1])
})

test('nobody can write into a block that is committed, free or not there', () => {
  const cache = cacheOf(4)
  fill(cache, range(4))
  const row = new Float32Array(2)
  for (const slot of [0, 3, 4, 15, 16, -1, 2 ** 31 - 1])
    expect(code(() => cache.write(0, row, row, Int32Array.of(slot)))).toBe('ERR_BIO_INDEX')
})

test('wrong arguments are refused by name and change nothing', () => {
  const cache = cacheOf(4)
  const sequence = cache.open(range(4))
  sequence.reserve(4)
  const before = cache.stats()
  const [row, slot, out] = [new Float32Array(2), Int32Array.of(0), new Int32Array(2)]
  const refused: [string, () => unknown][] = [
    ['ERR_BIO_DTYPE', () => cache.open([1, 2] as never)],
    ['ERR_BIO_DTYPE', () => cache.open(undefined as never)],
    ['ERR_BIO_VALUE', () => cache.open(range(1), { scope: 1 as never })],
    ['ERR_BIO_VALUE', () => sequence.reserve(-1)],
    ['ERR_BIO_VALUE', () => sequence.reserve(NaN)],
    ['ERR_BIO_VALUE', () => sequence.reserve(0.5)],
    ['ERR_BIO_CAPACITY', () => sequence.commit(range(5))],
    ['ERR_BIO_DTYPE', () => sequence.commit(Float32Array.of(1) as never)],
    ['ERR_BIO_INDEX', () => cache.keys(1)],
    ['ERR_BIO_INDEX', () => cache.values(-1)],
    ['ERR_BIO_INDEX', () => cache.slots(sequence, 3, 2, out, 0)],
    ['ERR_BIO_INDEX', () => cache.slots(sequence, 0, 2, out, 1)],
    ['ERR_BIO_VALUE', () => cache.slots(sequence, -1, 1, out, 0)],
    ['ERR_BIO_VALUE', () => cache.slots(sequence, 0, NaN, out, 0)],
    ['ERR_BIO_VALUE', () => cache.fork(sequence, -1)],
    ['ERR_BIO_VALUE', () => cache.fork(sequence, NaN)],
    ['ERR_BIO_INDEX', () => cache.fork(sequence, 1)],
    ['ERR_BIO_DISPOSED', () => cache.fork(cacheOf(1).open(range(1)), 0)],
    ['ERR_BIO_DISPOSED', () => cache.slots(cacheOf(1).open(range(1)), 0, 0, out, 0)],
    ['ERR_BIO_INDEX', () => cache.write(1, row, row, slot)],
    ['ERR_BIO_SHAPE', () => cache.write(0, row, new Float32Array(3), slot)],
    ['ERR_BIO_SHAPE', () => cache.write(0, new Float32Array(0), row, slot)],
    ['ERR_BIO_DTYPE', () => cache.write(0, row, [1, 2] as never, slot)],
    ['ERR_BIO_DTYPE', () => cache.write(0, row, row, [0] as never)],
  ]
  for (const [expected, action] of refused)
    expect([String(action), code(action)]).toEqual([String(action), expected])
  expect(cache.stats()).toEqual(before)
  expect(sequence.length).toBe(0)
  expect(cache.keys(0).some((value) => value !== 0)).toBe(false)
})

test('a closed sequence refuses everything but a second close', () => {
  const cache = cacheOf(4)
  const sequence = fill(cache, range(4))
  sequence.close()
  sequence.close()
  sequence[Symbol.dispose]()
  expect(cache.stats()).toMatchObject({ freeBlocks: 4, cachedBlocks: 1 })
  const actions = [
    () => sequence.reserve(1),
    () => sequence.commit(range(0)),
    () => sequence.blockTable,
    () => cache.slots(sequence, 0, 0, new Int32Array(1), 0),
    () => cache.fork(sequence, 0),
  ]
  for (const action of actions) expect(code(action)).toBe('ERR_BIO_DISPOSED')
})

test('a disposed cache closes its sequences and refuses everything but a second dispose', () => {
  const cache = cacheOf(4)
  const sequence = fill(cache, range(4))
  cache.dispose()
  cache[Symbol.dispose]()
  sequence.close()
  const row = new Float32Array(2)
  const actions = [
    () => sequence.reserve(1),
    () => cache.open(range(1)),
    () => cache.keys(0),
    () => cache.values(0),
    () => cache.write(0, row, row, Int32Array.of(0)),
    () => cache.slots(sequence, 0, 0, new Int32Array(1), 0),
    () => cache.fork(sequence, 0),
    () => cache.stats(),
    () => cache.clear(),
  ]
  for (const action of actions) expect(code(action)).toBe('ERR_BIO_DISPOSED')
})

test('a budget that the process cannot allocate is an error, not a crash', () => {
  expect(code(() => new PagedKvCache({ ...shape, headDim: 2 ** 30, bytes: 2 ** 50 }))).toBe(
    'ERR_BIO_CAPACITY',
  )
})

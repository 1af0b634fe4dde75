import fc from 'fast-check'
import { expect, test } from 'vitest'
import { CacheOracle, prefixKey, type OracleSequence } from './__fixtures__/cache-oracle.js'
import { address, plainKernels } from './__fixtures__/paged-write.js'
import { PagedKvCache } from './paged-kv-cache.js'
import type { Sequence } from './sequence.js'

const [layers, kvHeads, headDim, blocks] = [2, 2, 3, 7]

/** A cache and its oracle, driven together; pages hold a tag that names scope and all tokens up to the position. */
class Pair {
  readonly cache: PagedKvCache
  readonly oracle: CacheOracle
  readonly open: [Sequence, OracleSequence][] = []
  readonly #tags = new Map<string, number>()

  constructor(blockTokens: number) {
    const bytes = blocks * layers * 2 * kvHeads * headDim * blockTokens * 4
    this.cache = new PagedKvCache({ layers, kvHeads, headDim, blockTokens, bytes, kernels: plainKernels })
    this.oracle = new CacheOracle(blocks, blockTokens)
  }

  openSequence(scope: string, tokens: number[]): void {
    const sequence = this.cache.open(Int32Array.from(tokens), { scope })
    expect(sequence.cachedTokens).toBe(this.oracle.open(scope, tokens))
    this.open.push([sequence, this.oracle.sequences.at(-1)!])
  }

  fork([sequence, oracle]: [Sequence, OracleSequence], wanted: number): void {
    const length = wanted % (oracle.tokens.length + 1)
    const fork = this.cache.fork(sequence, length)
    expect(fork.cachedTokens).toBe(this.oracle.fork(oracle, length))
    this.open.push([fork, this.oracle.sequences.at(-1)!])
  }

  reserve([sequence, oracle]: [Sequence, OracleSequence], count: number): void {
    const tableBefore = [...sequence.blockTable]
    const reserved = this.oracle.reserve(oracle, count)
    expect(sequence.reserve(count)).toBe(reserved)
    if (!reserved) expect([...sequence.blockTable]).toEqual(tableBefore)
  }

  commit([sequence, oracle]: [Sequence, OracleSequence], wanted: number[]): void {
    const tokens = wanted.slice(0, oracle.reserved - oracle.tokens.length)
    const slots = new Int32Array(tokens.length)
    this.cache.slots(sequence, sequence.length, tokens.length, slots, 0)
    const tags = tokens.map((_, i) => this.tag(oracle.scope, [...oracle.tokens, ...tokens.slice(0, i + 1)]))
    for (let layer = 0; layer < layers; layer += 1) {
      const keyRows = tags.flatMap((tag) => rows(tag + layer / 4))
      const valueRows = tags.flatMap((tag) => rows(-tag - layer / 4))
      this.cache.write(layer, Float32Array.from(keyRows), Float32Array.from(valueRows), slots)
    }
    sequence.commit(Int32Array.from(tokens))
    this.oracle.commit(oracle, tokens)
  }

  close(i: number): void {
    const [[sequence, oracle]] = this.open.splice(i, 1) as [[Sequence, OracleSequence]]
    sequence.close()
    this.oracle.close(oracle)
  }

  clear(): void {
    this.cache.clear()
    this.oracle.clear()
  }

  tag(scope: string, tokens: readonly number[]): number {
    const key = prefixKey(scope, tokens)
    const tag = this.#tags.get(key) ?? this.#tags.size + 1
    this.#tags.set(key, tag)
    return tag
  }

  check(): void {
    const stats = this.cache.stats()
    expect(stats).toMatchObject({ usedBlocks: this.oracle.used, freeBlocks: blocks - this.oracle.used })
    expect(stats).toMatchObject({ cachedBlocks: this.oracle.cached, evictions: this.oracle.evictions })
    for (const [sequence, oracle] of this.open) this.#checkContents(sequence, oracle)
    this.#checkOwners()
  }

  /** Reading through the block table gives exactly what was committed. */
  #checkContents(sequence: Sequence, oracle: OracleSequence): void {
    const { blockTokens } = this.cache
    const shape = { kvHeads, headDim, blockTokens }
    expect(sequence.length).toBe(oracle.tokens.length)
    for (let position = 0; position < sequence.length; position += 1) {
      const slot =
        sequence.blockTable[Math.floor(position / blockTokens)]! * blockTokens + (position % blockTokens)
      const tag = this.tag(oracle.scope, oracle.tokens.slice(0, position + 1))
      for (let layer = 0; layer < layers; layer += 1) {
        const last = address(shape, slot, kvHeads - 1, headDim - 1)
        expect(this.cache.keys(layer)[last]).toBe(tag + layer / 4)
        expect(this.cache.values(layer)[last]).toBe(-tag - layer / 4)
      }
    }
  }

  /** A block in two tables holds the same beginning for both, and of those that do not borrow it, only one while it is not full. */
  #checkOwners(): void {
    const owners = new Map<number, string>()
    for (const [i, [sequence, { scope, tokens, borrows }]] of this.open.entries()) {
      for (const [j, block] of sequence.blockTable.entries()) {
        const full = (j + 1) * this.cache.blockTokens
        if (borrows && full > tokens.length) continue
        const owner = full <= tokens.length ? prefixKey(scope, tokens.slice(0, full)) : `sequence ${i}`
        expect(owners.get(block) ?? owner).toBe(owner)
        owners.set(block, owner)
      }
    }
  }
}

function rows(value: number): number[] {
  return Array.from({ length: kvHeads * headDim }, () => value)
}

const tokens = fc.array(fc.integer({ min: 0, max: 1 }), { maxLength: 12 })
const event = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant('open' as const), scope: fc.constantFrom('a', 'b'), tokens }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('reserve' as const), i: fc.nat(), count: fc.nat(6) }),
  },
  { weight: 12, arbitrary: fc.record({ kind: fc.constant('step' as const), i: fc.nat(), tokens }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('commit' as const), i: fc.nat(), tokens }) },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('fork' as const), i: fc.nat(), length: fc.nat(40) }),
  },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('close' as const), i: fc.nat() }) },
  fc.record({ kind: fc.constant('clear' as const) }),
)

test('whatever sequences do, the cache does what a naive one does, and pages hold what was committed', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 3 }),
      fc.array(event, { minLength: 1, maxLength: 60 }),
      (size, events) => {
        const pair = new Pair(size)
        for (const next of events) {
          if (next.kind === 'open') pair.openSequence(next.scope, next.tokens)
          else if (next.kind === 'clear') pair.clear()
          else if (pair.open.length > 0) {
            const i = next.i % pair.open.length
            if (next.kind === 'close') pair.close(i)
            if (next.kind === 'fork') pair.fork(pair.open[i]!, next.length)
            if (next.kind === 'reserve') pair.reserve(pair.open[i]!, next.count)
            if (next.kind === 'step') pair.reserve(pair.open[i]!, next.tokens.length)
            if (next.kind === 'step' || next.kind === 'commit') pair.commit(pair.open[i]!, next.tokens)
          }
          pair.check()
        }
        while (pair.open.length > 0) pair.close(0)
        expect(pair.cache.stats().freeBlocks).toBe(blocks)
      },
    ),
    { numRuns: 2000 },
  )
})

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { BlockPool } from './block-pool.js'

test('blocks are handed out lowest number first, then none is left', () => {
  const pool = new BlockPool(3)
  expect([pool.allocate(), pool.allocate(), pool.allocate(), pool.allocate()]).toEqual([0, 1, 2, -1])
})

test('a block without content is reused at once, one with content last', () => {
  const pool = new BlockPool(3)
  const [a, b] = [pool.allocate(), pool.allocate()]
  pool.release(a, 'late')
  pool.release(b, 'soon')
  expect([...pool.freeBlocks()]).toEqual([b, 2, a])
})

test('a block with two references is free after the second release', () => {
  const pool = new BlockPool(1)
  const block = pool.allocate()
  pool.retain(block)
  pool.release(block, 'late')
  expect(pool.free).toBe(0)
  pool.release(block, 'late')
  expect(pool.free).toBe(1)
})

test('a cached block that is retained leaves the free list', () => {
  const pool = new BlockPool(2)
  const block = pool.allocate()
  pool.release(block, 'late')
  pool.retain(block)
  expect([...pool.freeBlocks()]).toEqual([1])
})

test('whatever the order of operations, a block is either in use or once in the free list', () => {
  const operation = fc.tuple(fc.constantFrom('allocate', 'retain', 'soon', 'late'), fc.nat(5))
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 100 }), (operations) => {
      const pool = new BlockPool(6)
      const references = [0, 0, 0, 0, 0, 0]
      for (const [kind, block] of operations) {
        if (kind === 'allocate') {
          const allocated = pool.allocate()
          if (allocated < 0) expect(references).not.toContain(0)
          else expect((references[allocated]! += 1)).toBe(1)
        } else if (kind === 'retain') {
          pool.retain(block)
          references[block]! += 1
        } else if (references[block]! > 0) {
          pool.release(block, kind as 'soon' | 'late')
          references[block]! -= 1
        }
        const free = [...pool.freeBlocks()].toSorted()
        expect(free).toEqual([0, 1, 2, 3, 4, 5].filter((i) => references[i] === 0))
        expect(pool.free).toBe(free.length)
        expect(references.map((_, i) => pool.references(i))).toEqual(references)
      }
    }),
  )
})

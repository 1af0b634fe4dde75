import fc from 'fast-check'
import { expect, test } from 'vitest'
import { chainHash } from './chain-hash.js'
import { PrefixIndex } from './prefix-index.js'

const [rootA, rootB] = [-1, -2]

function add(index: PrefixIndex, block: number, parent: number, tokens: number[]): void {
  index.tokens.set(tokens, block * tokens.length)
  index.add(block, parent)
}

test('a block is found by its parent and its tokens, at any offset of the query', () => {
  const index = new PrefixIndex({ blocks: 4, blockTokens: 2, seed: 1 })
  add(index, 0, rootA, [1, 2])
  add(index, 1, 0, [3, 4])
  const query = Int32Array.of(9, 1, 2, 3, 4)
  expect(index.find(rootA, query, 1)).toBe(0)
  expect(index.find(0, query, 3)).toBe(1)
  expect(index.find(rootA, query, 3)).toBe(-1)
})

test('equal tokens in two scopes, or after two prefixes, are different blocks', () => {
  const index = new PrefixIndex({ blocks: 4, blockTokens: 1, seed: 1 })
  add(index, 0, rootA, [7])
  expect(index.find(rootB, Int32Array.of(7), 0)).toBe(-1)
  add(index, 1, rootB, [7])
  add(index, 2, 0, [7])
  add(index, 3, 1, [7])
  expect([rootA, rootB, 0, 1].map((parent) => index.find(parent, Int32Array.of(7), 0))).toEqual([0, 1, 2, 3])
})

test('blocks of the same hash are told apart by their tokens, and their children by their parents', () => {
  const [seed, seen] = [1, new Map<number, Int32Array>()]
  let tokens = Int32Array.of(0, 0)
  const hash = () => chainHash(seed ^ rootA, tokens, 0, 2)
  for (let i = 1; !seen.has(hash()); i += 1) {
    seen.set(hash(), tokens)
    tokens = Int32Array.of(i, i * i)
  }
  const rival = seen.get(hash())!
  expect(rival).not.toEqual(tokens)
  const index = new PrefixIndex({ blocks: 3, blockTokens: 2, seed })
  add(index, 0, rootA, [...tokens])
  expect(index.find(rootA, rival, 0)).toBe(-1)
  add(index, 1, rootA, [...rival])
  expect(index.find(rootA, rival, 0)).toBe(1)
  expect(index.find(rootA, tokens, 0)).toBe(0)
  add(index, 2, 0, [5, 5])
  expect(index.find(0, Int32Array.of(5, 5), 0)).toBe(2)
  expect(index.find(1, Int32Array.of(5, 5), 0)).toBe(-1)
})

test('add, remove and find agree with a map of strings', () => {
  const blocks = 8
  const step = fc.record({ block: fc.nat(blocks - 1), root: fc.constantFrom(rootA, rootB), token: fc.nat(3) })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const index = new PrefixIndex({ blocks: blocks, blockTokens: 2, seed: 1 })
      const model = new Map<string, number>()
      const keys = new Map<number, string>()
      for (const { block, root, token } of steps) {
        const tokens = Int32Array.of(token, -token)
        const key = `${root}/${token}`
        expect(index.find(root, tokens, 0)).toBe(model.get(key) ?? -1)
        if (index.has(block)) {
          index.remove(block)
          model.delete(keys.get(block)!)
        } else if (!model.has(key)) {
          add(index, block, root, [...tokens])
          model.set(key, block)
          keys.set(block, key)
        }
        expect(index.size).toBe(model.size)
      }
    }),
  )
})

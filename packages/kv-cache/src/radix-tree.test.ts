import fc from 'fast-check'
import { expect, test } from 'vitest'
import { RadixTree } from './radix-tree.js'

const tokens = fc.array(fc.nat(1), { maxLength: 5 })

test('set, delete, get, longest and items agree with a plain list of keys', () => {
  const step = fc.record({ kind: fc.constantFrom('set', 'set', 'delete'), key: tokens, query: tokens })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const tree = new RadixTree<string>()
      const model = new Map<string, number[]>()
      for (const { kind, key, query } of steps) {
        const name = key.join()
        if (kind === 'set') {
          tree.set(Int32Array.from(key), name)
          model.set(name, key)
        } else if (model.delete(name)) tree.delete(Int32Array.from(key))
        const prefixes = [...model.keys()].filter((known) =>
          model.get(known)!.every((t, i) => query[i] === t),
        )
        const longest = prefixes.toSorted((a, b) => b.length - a.length)[0]
        expect(tree.longest(Int32Array.from(query))).toBe(longest)
        expect(tree.get(Int32Array.from(query))).toBe(model.has(query.join()) ? query.join() : undefined)
        expect([...tree.items()].toSorted()).toEqual([...model.keys()].toSorted())
        expect(tree.size).toBe(model.size)
        const fresh = new RadixTree<string>() // deletions leave no trace
        for (const [item, path] of model) fresh.set(Int32Array.from(path), item)
        expect(tree.nodes).toBe(fresh.nodes)
      }
    }),
    { numRuns: 300 },
  )
})

test('a key is copied: changing the array afterwards changes nothing', () => {
  const tree = new RadixTree<number>()
  const key = Int32Array.of(1, 2, 3)
  tree.set(key, 1)
  key.fill(9)
  expect(tree.get(Int32Array.of(1, 2, 3))).toBe(1)
})

test('a key of 100,000 tokens and 100,000 keys of one token need no deep stack', () => {
  const tree = new RadixTree<number>()
  tree.set(new Int32Array(100_000), 1)
  for (let i = 1; i <= 100_000; i += 1) tree.set(Int32Array.of(i), i)
  expect([...tree.items()].length).toBe(100_001)
})

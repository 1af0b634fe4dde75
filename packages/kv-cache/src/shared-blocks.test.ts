import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Sequence } from './sequence.js'
import { SharedBlocks } from './shared-blocks.js'

const hooks = { onClose: (): void => {}, onCopy: (): void => {} }

function run(blocks: SharedBlocks, scope: string, tokens: number[]): Sequence {
  const sequence = Sequence.open(blocks, Int32Array.from(tokens), { scope, ...hooks })
  if (sequence.reserve(tokens.length - sequence.length))
    sequence.commit(Int32Array.from(tokens.slice(sequence.length)))
  return sequence
}

test('tenants that come and go leave no scope behind but those with cached blocks', () => {
  const blocks = new SharedBlocks(4, 2)
  for (let i = 0; i < 1000; i += 1) run(blocks, `tenant ${i}`, [1, 2]).close()
  expect([blocks.scopes, blocks.cached, blocks.evictions]).toEqual([4, 4, 996])
  blocks.clear()
  expect([blocks.scopes, blocks.cached, blocks.free]).toEqual([0, 0, 4])
})

test('a scope number that is used again for another tenant finds none of the former one', () => {
  const blocks = new SharedBlocks(2, 2)
  run(blocks, 'a', [1, 2, 3, 4]).close()
  run(blocks, 'b', [5, 6, 7, 8]).close() // evicts both blocks of a, and a with them
  expect(blocks.scopes).toBe(1)
  expect(run(blocks, 'c', [1, 2, 3, 4]).cachedTokens).toBe(0)
})

test('no tenant ever holds a block while another tenant holds or can find it', () => {
  const event = fc.record({
    scope: fc.constantFrom('a', 'b', 'c'),
    tokens: fc.array(fc.nat(1), { maxLength: 8 }),
    close: fc.boolean(),
  })
  fc.assert(
    fc.property(fc.array(event, { maxLength: 40 }), (events) => {
      const blocks = new SharedBlocks(12, 2)
      const open: { scope: string; sequence: Sequence }[] = []
      for (const { scope, tokens, close } of events) {
        open.push({ scope, sequence: run(blocks, scope, tokens) })
        if (close) open.splice(tokens.length % open.length, 1)[0]!.sequence.close()
        const holder = new Map<number, string>()
        for (const { scope: tenant, sequence } of open) {
          for (const block of sequence.blockTable) {
            expect(holder.get(block) ?? tenant).toBe(tenant)
            holder.set(block, tenant)
          }
        }
        for (const tenant of ['a', 'b', 'c']) {
          const probe = Sequence.open(blocks, Int32Array.from([...tokens, 0]), { scope: tenant, ...hooks })
          for (const block of probe.blockTable) expect(holder.get(block) ?? tenant).toBe(tenant)
          probe.close()
        }
      }
    }),
    { numRuns: 500 },
  )
})

import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Lease } from './lease.js'
import { PrefixCache } from './prefix-cache.js'

interface State {
  readonly name: string
  readonly bytes: number
}

function open(bytes: number) {
  const released: string[] = []
  const cache = new PrefixCache<State>({
    bytes,
    sizeOf: (state) => state.bytes,
    release: (state) => void released.push(state.name),
  })
  return { cache, released }
}

const refuses = (code: string, action: () => unknown): void =>
  expect(action).toThrow(expect.objectContaining({ code }))

const key = (...tokens: number[]): Int32Array => Int32Array.from(tokens)

test('the value of the longest prefix is found, exact keys included', () => {
  const { cache } = open(1000)
  cache.set(key(1, 2), { name: 'short', bytes: 1 })
  cache.set(key(1, 2, 3, 4), { name: 'long', bytes: 1 })
  expect(cache.match(key(1, 2, 3))).toMatchObject({ length: 2, value: { name: 'short' } })
  expect(cache.match(key(1, 2, 3, 4))).toMatchObject({ length: 4, value: { name: 'long' } })
  expect(cache.match(key(1))).toBeUndefined()
  expect(cache.match(key())).toBeUndefined()
  expect(cache.stats()).toMatchObject({ entries: 2, hitTokens: 6, missTokens: 2 })
})

test('a leased value outlives eviction, replacement, clear and dispose, and is released once', () => {
  const { cache, released } = open(100)
  cache.set(key(1), { name: 'a', bytes: 40 })
  const leases = [cache.match(key(1))!, cache.match(key(1))!]
  expect(cache.set(key(2), { name: 'too big beside a', bytes: 60 })).toBe(false)
  expect(cache.set(key(1), { name: 'b', bytes: 10 })).toBe(true)
  cache.clear()
  cache.dispose()
  expect(released).toEqual(['b'])
  leases[0]!.close()
  leases[0]!.close()
  expect(leases[1]!.value.name).toBe('a')
  leases[1]![Symbol.dispose]()
  expect(released).toEqual(['b', 'a'])
  expect(() => leases[0]!.value).toThrow(expect.objectContaining({ code: 'ERR_BIO_DISPOSED' }))
})

test('setting the same value again releases nothing and marks it as used', () => {
  const { cache, released } = open(100)
  const [a, b] = ['a', 'b'].map((name) => ({ name, bytes: 40 }))
  cache.set(key(1), a!)
  cache.set(key(2), b!)
  cache.set(key(1), a!)
  cache.set(key(3), { name: 'c', bytes: 40 })
  expect(released).toEqual(['b'])
})

test('an error of release is thrown when all is done', () => {
  const cache = new PrefixCache<number>({
    bytes: 10,
    sizeOf: () => 1,
    release: () => {
      throw new Error('no')
    },
  })
  cache.set(key(1), 1)
  cache.set(key(2), 2)
  expect(() => cache.set(key(3), 3)).toThrow('no')
  expect(cache.stats()).toMatchObject({ entries: 2, bytes: 10, evictions: 1 })
  expect(cache.match(key(3))!.value).toBe(3)
})

test.each([-1, NaN, 0.5, Infinity, '1'])('a size of %s is refused and nothing changes', (bytes) => {
  const { cache, released } = open(10)
  cache.set(key(1), { name: 'a', bytes: 1 })
  expect(() => cache.set(key(1), { name: 'b', bytes: bytes as number })).toThrow(
    expect.objectContaining({ code: 'ERR_BIO_VALUE' }),
  )
  expect(cache.match(key(1))!.value.name).toBe('a')
  expect(released).toEqual([])
})

test('wrong arguments and a disposed cache are named', () => {
  const { cache } = open(10)
  const value = { name: 'a', bytes: 1 }
  refuses('ERR_BIO_SHAPE', () => cache.set(key(), value))
  refuses('ERR_BIO_DTYPE', () => cache.set([1] as never, value))
  refuses('ERR_BIO_DTYPE', () => cache.match([1] as never))
  refuses('ERR_BIO_VALUE', () => cache.match(key(1), { scope: {} as never }))
  refuses('ERR_BIO_VALUE', () => open(0))
  cache.dispose()
  for (const action of [() => cache.set(key(1), value), () => cache.match(key(1)), () => cache.stats()])
    refuses('ERR_BIO_DISPOSED', action)
  refuses('ERR_BIO_DISPOSED', () => cache.clear())
})

test('whatever happens, budget, order of use, leases and scopes are kept as a naive list keeps them', () => {
  const step = fc.record({
    kind: fc.constantFrom('set', 'set', 'match', 'match', 'close', 'clear'),
    tokens: fc.array(fc.nat(1), { minLength: 1, maxLength: 4 }),
    scope: fc.constantFrom('a', 'b'),
    bytes: fc.nat(30),
    i: fc.nat(),
  })
  const budget = 80
  type Known = State & { scope: string; tokens: number[]; leases: number; attached: boolean }
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const { cache, released } = open(budget)
      /** Least recently used first. */
      let known: Known[] = []
      const leases: [Lease<State>, Known][] = []
      const expected: string[] = []
      const drop = (gone: Known): void => {
        gone.attached = false
        if (gone.leases > 0) return
        known = known.filter((one) => one !== gone)
        expected.push(gone.name)
      }
      const total = (some: Known[]): number =>
        some.reduce((sum, { bytes, tokens }) => sum + bytes + 4 * tokens.length, 0)
      for (const [n, { kind, tokens, scope, bytes, i }] of steps.entries()) {
        if (kind === 'clear' && i % 4 === 0) {
          cache.clear()
          for (const one of known.filter(({ attached }) => attached)) drop(one)
        } else if (kind === 'set') {
          const value: Known = { name: `${n}`, bytes, scope, tokens, leases: 0, attached: true }
          const leased = known.filter((one) => one.leases > 0)
          const fits = total([...leased, value]) <= budget
          expect(cache.set(Int32Array.from(tokens), value, { scope })).toBe(fits)
          if (!fits) continue
          const old = known.find(
            (one) => one.attached && one.scope === scope && one.tokens.join() === tokens.join(),
          )
          if (old) drop(old)
          for (const one of known) if (total([...known, value]) > budget && one.leases === 0) drop(one)
          known.push(value)
        } else if (kind === 'match') {
          const lease = cache.match(Int32Array.from(tokens), { scope })
          const best = known
            .filter(
              (one) => one.attached && one.scope === scope && one.tokens.every((t, j) => tokens[j] === t),
            )
            .toSorted((a, b) => b.tokens.length - a.tokens.length)[0]
          expect(lease?.value).toBe(best)
          if (!best) continue
          best.leases += 1
          leases.push([lease!, best])
        } else if (kind === 'close' && leases.length > 0) {
          const [[lease, one]] = leases.splice(i % leases.length, 1) as [[Lease<State>, Known]]
          lease.close()
          one.leases -= 1
          if (one.leases > 0) continue
          known = [...known.filter((other) => other !== one), one]
          if (!one.attached) drop(one)
        }
        expect(released.toSorted()).toEqual(expected.toSorted())
        const leasedBytes = total(known.filter((one) => one.leases > 0))
        expect(cache.stats()).toMatchObject({ bytes: total(known), leasedBytes })
        expect(total(known)).toBeLessThanOrEqual(budget)
      }
    }),
    { numRuns: 500 },
  )
})

import { isBioError } from '@bio/errors'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { philox } from './philox.js'
import { Rng } from './rng.js'

const hex = (words: Uint32Array): string =>
  Array.from(words, (word) => word.toString(16).padStart(8, '0')).join(' ')

// Known answers from Random123's kat_vectors.
test.each([
  [[0, 0, 0, 0], [0, 0], '6627e8d5 e169c58d bc57ac4c 9b00dbd8'],
  [
    [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
    [0xffffffff, 0xffffffff],
    '408f276d 41c83b0e a20bc7c6 6d5451fd',
  ],
  [
    [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
    [0xa4093822, 0x299f31d0],
    'd16cfe09 94fdcceb 5001e420 24126ea1',
  ],
])('philox of counter %j under key %j is the published one', (counter, key, expected) => {
  const words = new Uint32Array(4)
  philox(words, counter, key)
  expect(hex(words)).toBe(expected)
})

const seeds = fc.nat(2 ** 31 - 1)

test('the same seed and stream give the same numbers, another stream others', () => {
  fc.assert(
    fc.property(seeds, seeds, (seed, stream) => {
      const draw = (rng: Rng): number[] => [rng.next(), rng.normal(), rng.int(1000), ...rng.permutation(5)]
      expect(draw(new Rng(seed, stream))).toEqual(draw(new Rng(seed, stream)))
      expect(draw(new Rng(seed).fork(stream))).toEqual(draw(new Rng(seed).fork(stream)))
      expect(new Rng(seed, stream).next()).not.toBe(new Rng(seed, stream + 1).next())
      expect(new Rng(seed).fork(stream).next()).not.toBe(new Rng(seed).fork(stream + 1).next())
      expect(new Rng(seed).fork(stream).next()).not.toBe(new Rng(seed, stream).next())
    }),
  )
})

test('a restored state goes on where it was saved, also through JSON', () => {
  fc.assert(
    fc.property(seeds, fc.nat(50), (seed, skip) => {
      const rng = new Rng(seed).fork(7)
      for (let i = 0; i < skip; i++) rng.int(10)
      const state = JSON.stringify(rng.state)
      const expected = [rng.next(), rng.normal()]
      const other = new Rng(0)
      other.setState(JSON.parse(state))
      expect([other.next(), other.normal()]).toEqual(expected)
    }),
  )
})

test('a fork does not depend on what was drawn before it', () => {
  const [fresh, used] = [new Rng(5), new Rng(5)]
  used.next()
  expect(used.fork(1).next()).toBe(fresh.fork(1).next())
})

test('uniform and normal values have the moments that they should', () => {
  const rng = new Rng(11)
  const moments = (draw: () => number): [number, number] => {
    const values = Array.from({ length: 40_000 }, draw)
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length
    return [mean, values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length]
  }
  const filled = new Float32Array(40_000)
  const next = (): (() => number) => {
    let i = 0
    return () => filled[i++]!
  }
  for (const [draw, mean, variance] of [
    [() => rng.next(), 0.5, 1 / 12],
    [() => rng.normal(), 0, 1],
    [() => rng.int(3), 1, 2 / 3],
    [(rng.fillNormal(filled, { std: 2 }), next()), 0, 4],
  ] as const) {
    const [m, v] = moments(draw)
    expect(Math.abs(m - mean)).toBeLessThan(4 * Math.sqrt(variance / 40_000))
    expect(Math.abs(v / variance - 1)).toBeLessThan(0.04)
  }
})

test('values stay inside their bounds, and a permutation holds each number once', () => {
  fc.assert(
    fc.property(
      seeds,
      fc.integer({ min: 1, max: 40 }),
      fc.float({ noNaN: true, min: -10, max: 10 }),
      (seed, n, low) => {
        const rng = new Rng(seed)
        expect(rng.int(n)).toSatisfy((value: number) => Number.isInteger(value) && value >= 0 && value < n)
        const out = new Float32Array(n)
        rng.fillUniform(out, { low, high: low + 1e-5 })
        for (const value of out)
          expect(value).toSatisfy(
            (v: number) => v >= Math.fround(low) && v < Math.max(low + 1e-5, Math.fround(low) + 1e-30),
          )
        expect([...rng.permutation(n)].toSorted((a, b) => a - b)).toEqual(
          Array.from({ length: n }, (_, i) => i),
        )
      },
    ),
  )
})

test('bad seeds, bounds and states are refused', () => {
  const rng = new Rng(0)
  for (const wrong of [
    () => new Rng(-1),
    () => new Rng(0.5),
    () => new Rng(NaN),
    () => rng.int(0),
    () => rng.int(2 ** 32 + 1),
    () => rng.permutation(-1),
    () => rng.fillUniform(new Float32Array(1), { low: 1, high: 0 }),
    () => rng.fillNormal(new Float32Array(1), { std: NaN }),
    () => rng.setState({ seed: [0, 0], stream: [0, 0], position: -1 }),
    () => rng.setState({ seed: [0, 2 ** 32], stream: [0, 0], position: 0 }),
    () => rng.setState({} as never),
  ]) {
    expect(wrong).toThrow(expect.toSatisfy((error: unknown) => isBioError(error, 'ERR_BIO_VALUE')))
  }
})

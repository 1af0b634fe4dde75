import fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'
import { attentionCases } from '../testing/attention-cases.js'
import { cases } from '../testing/cases.js'
import { binding, native, tiers } from '../testing/native-tiers.js'
import { Source, type Sizes } from '../testing/source.js'
import { createTypeScriptKernels } from '../typescript.js'

const typescript = createTypeScriptKernels()

const sizes: fc.Arbitrary<Sizes> = fc.record({
  m: fc.integer({ min: 0, max: 17 }),
  n: fc.integer({ min: 1, max: 70 }),
  k: fc.integer({ min: 1, max: 90 }),
})

afterEach(() => void binding?.limitIsaForTest(''))

describe.skipIf(native === undefined).each(tiers)('on %s', (isa) => {
  test.each([...cases, ...attentionCases])('$name: native as TypeScript on ragged shapes', ({ run, slack = 0 }) => {
    fc.assert(
      fc.property(fc.nat(), sizes, (seed, shape) => {
        binding!.limitIsaForTest(isa)
        const found = run(native!, new Source(seed), shape)
        const truth = run(typescript, new Source(seed), shape)
        expect(found.length).toBe(truth.length)
        found.forEach((values, index) => expectClose(values, truth[index]!, { slack, depth: Math.max(shape.m, shape.k, 390) }))
      }),
      { numRuns: 25 },
    )
  })
})

test.each([typescript, ...(native === undefined ? [] : [native])])(
  'over int8 pages a query of a denormal and zeros answers with numbers: $backend',
  (kernels) => {
    const shape = { heads: 1, kvHeads: 1, headDim: 4, blockTokens: 2 }
    const [keys, values] = [new Int8Array(16), new Int8Array(16)]
    const slots = Int32Array.of(0, 1)
    kernels.pagedWrite(keys, new Float32Array(8).fill(1), slots, { ...shape, content: 'keys' })
    kernels.pagedWrite(values, new Float32Array(8).fill(2), slots, { ...shape, content: 'values' })
    const out = new Float32Array(4)
    const options = { ...shape, maxBlocks: 1, sequences: Int32Array.of(0), positions: Int32Array.of(1), blockTables: Int32Array.of(0) }
    kernels.pagedAttention(out, Float32Array.of(1e-40, 0, 0, 0), keys, values, options)
    for (const value of out) expect(value).toBeCloseTo(2, 3)
  },
)

/** |found − truth| ≤ ε·depth·max|truth| + slack, ε of f32: the bound of a sum of `depth` products in any order. */
function expectClose(found: ArrayLike<number>, truth: ArrayLike<number>, { slack, depth }: { slack: number; depth: number }): void {
  expect(found.length).toBe(truth.length)
  let size = 1
  for (let i = 0; i < truth.length; i++) size = Math.max(size, Math.abs(truth[i]!))
  const bound = (2 ** -24 * depth + slack) * size
  for (let i = 0; i < truth.length; i++) {
    if (Math.abs(found[i]! - truth[i]!) <= bound || Object.is(found[i], truth[i])) continue
    expect.fail(`value ${i} of ${truth.length}: ${found[i]} against ${truth[i]}, bound ${bound}`)
  }
}

import fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'
import type { Kernels } from '../interface.js'
import { pageFormats } from '../testing/attention-cases.js'
import { binding, native, tiers } from '../testing/native-tiers.js'
import { Source } from '../testing/source.js'
import { createTypeScriptKernels } from '../typescript.js'

/** Cases per property and tier: 23 properties, so 10,120 on each tier in a slow run. */
const casesOf = (quick: number): number => (process.env['BIO_SLOW'] === '1' ? 440 : quick)

const threads = native?.threads ?? 1
afterEach(() => {
  binding?.limitIsaForTest('')
  native?.setThreads(threads)
})

/** Rows of a batch: `rows` of them in all, of which those from `first` on are computed alone or as a smaller batch. */
interface Part {
  readonly rows: number
  readonly first: number
  readonly count: number
}

/** Computes a batch of rows [first, first + count) of the same arguments; every other argument is drawn from the source. */
type RowKernel = (
  kernels: Kernels,
  source: Source,
  shape: { rows: number; n: number; k: number },
) => (part: Part) => Float32Array

/** A view: where a row lies in memory must not matter either. */
const rowsOf = (x: Float32Array, { first, count }: Part, columns: number): Float32Array =>
  x.subarray(first * columns, (first + count) * columns)

const packedKernels = (['f32', 'bf16', 'int8', 'int4'] as const).flatMap((dtype) => {
  const groups = dtype === 'int4' ? ([32, 128] as const) : ([undefined] as const)
  return groups.map((groupSize): [string, RowKernel] => [
    `matmulPacked ${dtype}${groupSize === undefined ? '' : ` in groups of ${groupSize}`}`,
    (kernels, source, { rows, n, k }) => {
      const columns = groupSize === undefined ? k : groupSize * (1 + (k % 3))
      const x = source.floats(rows * columns)
      const bias = source.floats(n)
      const packed = kernels.pack(source.floats(n * columns), {
        dtype,
        rows: n,
        columns,
        ...(groupSize === undefined ? {} : { groupSize }),
      })
      return (part) => {
        const out = new Float32Array(part.count * n)
        kernels.matmulPacked(out, rowsOf(x, part, columns), packed, { m: part.count, bias })
        return out
      }
    },
  ])
})

const sparseKernels = (['dense', 'csr', '4x1', '16x1'] as const).map((format): [string, RowKernel] => [
  `sparseMatmul ${format}`,
  (kernels, source, { rows, n, k }) => {
    const [x, bias, density] = [source.floats(rows * k), source.floats(n), source.next()]
    const weights = source.floats(n * k).map((weight) => (source.next() < density ? weight : 0))
    const sparse = kernels.packSparse(weights, { rows: n, columns: k, format })
    return (part) => {
      const out = new Float32Array(part.count * n)
      kernels.sparseMatmul(out, rowsOf(x, part, k), sparse, { m: part.count, bias })
      return out
    }
  },
])

/** Inference kernels whose rows must not know their neighbours. */
const rowKernels: readonly [string, RowKernel][] = [
  ...[true, false].map((transposeB): [string, RowKernel] => [
    `matmul${transposeB ? ' by a transpose' : ''}`,
    (kernels, source, { rows, n, k }) => {
      const [x, weights] = [source.floats(rows * k), source.floats(n * k)]
      return (part) => {
        const out = new Float32Array(part.count * n)
        kernels.matmul(out, rowsOf(x, part, k), weights, { m: part.count, n, k, transposeB })
        return out
      }
    },
  ]),
  ...packedKernels,
  ...sparseKernels,
  [
    'rmsNorm',
    (kernels, source, { rows, k }) => {
      const [x, weight] = [source.floats(rows * k), source.floats(k)]
      return (part) => {
        const [out, inverse] = [new Float32Array(part.count * k), new Float32Array(part.count)]
        kernels.rmsNorm(out, inverse, rowsOf(x, part, k), weight, {
          rows: part.count,
          columns: k,
          epsilon: 1e-5,
        })
        return out
      }
    },
  ],
  [
    'softmax',
    (kernels, source, { rows, k }) => {
      const x = source.floats(rows * k, 5)
      return (part) => {
        const out = new Float32Array(part.count * k)
        kernels.softmax(out, rowsOf(x, part, k), { rows: part.count, columns: k })
        return out
      }
    },
  ],
  [
    'swiglu',
    (kernels, source, { rows, k }) => {
      const gateUp = source.floats(rows * 2 * k, 4)
      return (part) => {
        const out = new Float32Array(part.count * k)
        kernels.swiglu(out, rowsOf(gateUp, part, 2 * k), { rows: part.count, hidden: k })
        return out
      }
    },
  ],
]

/** Mostly small, then past every blocking size in turn: rows of a block and of a chunk, columns of a panel, depth of a stretch. */
const upTo = (rows: number, n: number, k: number): fc.Arbitrary<{ rows: number; n: number; k: number }> =>
  fc.record({
    rows: fc.integer({ min: 1, max: rows }),
    n: fc.integer({ min: 1, max: n }),
    k: fc.integer({ min: 1, max: k }),
  })
const shapes = fc.oneof(
  { weight: 6, arbitrary: upTo(40, 150, 600) },
  { weight: 1, arbitrary: upTo(1200, 40, 40) },
  { weight: 1, arbitrary: upTo(9, 1100, 200) },
  { weight: 1, arbitrary: upTo(9, 60, 2600) },
)
const cut = fc.tuple(fc.nat(), fc.nat())

describe.skipIf(native === undefined).each(tiers)('on %s', (isa) => {
  test.each(rowKernels)('%s: a row has the same bits alone, in any batch and with any threads', (_, kernel) => {
    fc.assert(
      fc.property(fc.nat(), shapes, cut, (seed, shape, [from, length]) => {
        binding!.limitIsaForTest(isa)
        native!.setThreads(threads)
        const { rows } = shape
        const compute = kernel(native!, new Source(seed), shape)
        const whole = compute({ rows, first: 0, count: rows })
        const first = from % rows
        const count = 1 + (length % (rows - first))
        native!.setThreads(1 + (length % threads))
        const width = whole.length / rows
        const part = compute({ rows, first, count })
        expectSameBits(part, whole.subarray(first * width, (first + count) * width))
      }),
      { numRuns: casesOf(40) },
    )
  })

  test.each([['f32'], ['bf16'], ['int8'], ['int4', 32], ['int4', 128]] as const)(
    'experts %s %s: a row has the bits of its expert alone, with any threads',
    (dtype, groupSize?) => {
      fc.assert(
        fc.property(fc.nat(), shapes, (seed, { rows, n, k }) => {
          binding!.limitIsaForTest(isa)
          const source = new Source(seed)
          const columns = groupSize === undefined ? k : groupSize * (1 + (k % 5))
          const { offsets, experts } = source.offsets(rows)
          const [x, weights] = [source.floats(rows * columns), source.floats(experts * n * columns)]
          const format = { dtype, rows: n, columns, ...(groupSize === undefined ? {} : { groupSize }) }
          native!.setThreads(1 + (seed % threads))
          using packed = native!.pack(weights, { ...format, experts })
          const out = new Float32Array(rows * n)
          native!.groupedMatmulPacked(out, x, packed, { offsets })
          for (let expert = 0; expert < experts; expert++) {
            const [first, end] = [offsets[expert]!, offsets[expert + 1]!]
            using alone = native!.pack(
              weights.slice(expert * n * columns, (expert + 1) * n * columns),
              format,
            )
            native!.setThreads(1 + (k % threads))
            for (let row = first; row < end; row++) {
              const one = new Float32Array(n)
              native!.matmulPacked(one, x.subarray(row * columns, (row + 1) * columns), alone, { m: 1 })
              expectSameBits(one, out.subarray(row * n, (row + 1) * n))
            }
          }
        }),
        { numRuns: casesOf(25) },
      )
    },
  )

  test.each(pageFormats)('pagedAttention $name: a token has the same bits in any batch, chunking, order of pages and threads', ({ pages }) => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 1, max: 600 }), fc.nat(999), fc.nat(3), (seed, length, a, b) => {
        binding!.limitIsaForTest(isa)
        const source = new Source(seed)
        const [kvHeads, blockTokens, headDim] = [1 + (a % 2), 1 + b * 5, 4 + 4 * (a % 5)]
        const heads = kvHeads * (1 + (b % 3))
        const shape = { kvHeads, blockTokens, headDim }
        const maxBlocks = Math.ceil(length / blockTokens)
        const blocks = 2 * maxBlocks
        const width = kvHeads * headDim
        const [keys, values, q] = [
          source.floats(length * width),
          source.floats(length * width),
          source.floats(length * heads * headDim),
        ]
        /**
         * Writes the sequence into the blocks of a table, then attends for tokens [first, end) as one batch, behind `company` tokens of
         * another sequence.
         */
        const attend = (table: Int32Array, first: number, end: number, company: number): Float32Array => {
          const [keyPages, valuePages] = [pages(blocks, shape), pages(blocks, shape)]
          const slots = Int32Array.from(
            { length },
            (_, i) => table[Math.floor(i / blockTokens)]! * blockTokens + (i % blockTokens),
          )
          native!.pagedWrite(keyPages, keys, slots, { ...shape, content: 'keys' })
          native!.pagedWrite(valuePages, values, slots, { ...shape, content: 'values' })
          const taken = new Set(table)
          const free = Int32Array.from({ length: blocks }, (_, block) => block).filter((block) => !taken.has(block))
          const size = heads * headDim
          const tokens = Array.from({ length: company + end - first }, (_, i) => (i < company ? i : first + i - company))
          const out = new Float32Array(tokens.length * size)
          native!.pagedAttention(
            out,
            Float32Array.from(tokens.flatMap((token) => [...q.subarray(token * size, (token + 1) * size)])),
            keyPages,
            valuePages,
            {
              ...shape,
              heads,
              maxBlocks,
              sequences: Int32Array.from(tokens, (_, i) => (i < company ? 1 : 0)),
              positions: Int32Array.from(tokens),
              blockTables: Int32Array.from([...table, ...free.subarray(0, maxBlocks)]),
            },
          )
          return out.subarray(company * size)
        }
        const inOrder = Int32Array.from({ length: maxBlocks }, (_, i) => i)
        const shuffled = inOrder.map((i) => blocks - 1 - i * 2)
        native!.setThreads(threads)
        const whole = attend(inOrder, 0, length, 0)
        const first = seed % length
        const end = first + 1 + (a % (length - first))
        native!.setThreads(1 + (seed % threads))
        expectSameBits(
          attend(shuffled, first, end, (seed >>> 8) % Math.min(length, 70)),
          whole.subarray(first * heads * headDim, end * heads * headDim),
        )
      }),
      { numRuns: casesOf(60) },
    )
  })

  test('int8 and int4 sums are those of the TypeScript kernels: the results differ by the scales alone', () => {
    const typescript = createTypeScriptKernels()
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 6 }), (seed, n, groups) => {
        binding!.limitIsaForTest(isa)
        const columns = 32 * groups
        // Whole numbers up to 127 with 127 among them: every scale is 1, so the results are the integer sums.
        const whole = (length: number, top: number): Float32Array => {
          const x = new Source(seed + top).integers(length, 2 * top + 1)
          return Float32Array.from(x, (value, i) => (i % columns === 0 ? top : value - top))
        }
        const [weights, x] = [whole(n * columns, 127), whole(columns, 127)]
        const options = { dtype: 'int8', rows: n, columns } as const
        const [a, b] = [new Float32Array(n), new Float32Array(n)]
        native!.matmulPacked(a, x, native!.pack(weights, options), { m: 1 })
        typescript.matmulPacked(b, x, typescript.pack(weights, options), { m: 1 })
        expectSameBits(a, b)
        const exact = Array.from({ length: n }, (_, row) =>
          x.reduce((sum, value, i) => sum + value * weights[row * columns + i]!, 0),
        )
        expect(Array.from(a)).toEqual(exact)
      }),
      { numRuns: casesOf(40) },
    )
  })
})

function expectSameBits(found: Float32Array, expected: Float32Array): void {
  const bytes = ({ buffer, byteOffset, byteLength }: Float32Array): Buffer => Buffer.from(buffer, byteOffset, byteLength)
  // Both are compared at once; the slow comparison, element by element, is for its message.
  if (!bytes(found).equals(bytes(expected))) expect([...bytes(found)]).toEqual([...bytes(expected)])
}

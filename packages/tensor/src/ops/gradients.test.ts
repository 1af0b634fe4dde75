import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { checkGradient } from '../__fixtures__/gradient-check.js'
import * as oracle from '../__fixtures__/oracle.js'
import type { Values } from '../__fixtures__/oracle.js'
import * as bio from '../index.js'
import { randn, Rng, uniform, type Tensor } from '../index.js'

interface Sizes {
  readonly m: number
  readonly n: number
  readonly k: number
}
interface Check {
  readonly inputs: Tensor[]
  readonly operation: (...inputs: Tensor[]) => Tensor
  readonly oracle: (...inputs: Values[]) => Values
}
type Build = (sizes: Sizes, rng: Rng) => Check

/** Away from 0, where relu has no derivative and log and 1/x are steep. */
const positive = (shape: number[], rng: Rng): Tensor => uniform(shape, { rng, low: 0.5, high: 2 })
const elementwise =
  (name: keyof typeof oracle.activations, input = randn as typeof positive | typeof randn): Build =>
  ({ m, n }, rng) => ({
    inputs: [input === randn ? randn([m, n], { rng }) : positive([m, n], rng)],
    operation: (x) => x[name](),
    oracle: oracle.map(oracle.activations[name]),
  })
const smooth = Object.fromEntries(
  (['gelu', 'geluTanh', 'silu', 'sigmoid', 'tanh', 'exp', 'neg'] as const).map((name) => [
    name,
    elementwise(name),
  ]),
)
const arithmetic = (
  name: 'add' | 'sub' | 'mul' | 'div',
  f: (a: number, b: number) => number,
): Record<string, Build> => ({
  [name]: ({ m, n }, rng) => ({
    inputs: [randn([m, n], { rng }), positive([m, n], rng)],
    operation: (a, b) => a[name](b),
    oracle: oracle.binary(f),
  }),
  [`${name} repeating the right`]: ({ m, n }, rng) => ({
    inputs: [randn([m, n], { rng }), positive([n], rng)],
    operation: (a, b) => a[name](b),
    oracle: oracle.binary(f),
  }),
  [`${name} repeating the left`]: ({ m, n, k }, rng) => ({
    inputs: [randn([n], { rng }), positive([k, m, n], rng)],
    operation: (a, b) => a[name](b),
    oracle: oracle.binary(f),
  }),
  [`${name} a tensor of one value`]: ({ m, n }, rng) => ({
    inputs: [randn([m, n], { rng }), positive([], rng)],
    operation: (a, b) => a[name](b),
    oracle: oracle.binary(f),
  }),
  [`${name} a number`]: ({ m, n }, rng) => ({
    inputs: [randn([m, n], { rng })],
    operation: (a) => a[name](1.5),
    oracle: oracle.map((x) => f(x, 1.5)),
  }),
})

const groups = ({ m, n, k }: Sizes): Int32Array => Int32Array.of(0, m, m, m + n, m + n + k)

const checks: Record<string, Build> = {
  ...smooth,
  relu: elementwise('relu', positive),
  log: elementwise('log', positive),
  sqrt: elementwise('sqrt', positive),
  ...arithmetic('add', (a, b) => a + b),
  ...arithmetic('sub', (a, b) => a - b),
  ...arithmetic('mul', (a, b) => a * b),
  ...arithmetic('div', (a, b) => a / b),
  matmul: ({ m, n, k }, rng) => ({
    inputs: [randn([m, k], { rng }), randn([k, n], { rng })],
    operation: (a, b) => a.matmul(b),
    oracle: (a, b) => oracle.matmul(a, b, { k, n }),
  }),
  linear: ({ m, n, k }, rng) => ({
    inputs: [randn([m, k], { rng }), randn([n, k], { rng }), randn([n], { rng })],
    operation: bio.linear,
    oracle: (x, w, b) => oracle.matmul(x, w, { k, n, transposed: true }).map((value, i) => value + b[i % n]!),
  }),
  groupedLinear: (sizes, rng) => ({
    inputs: [randn([sizes.m + sizes.n + sizes.k, 3], { rng }), randn([4, 2, 3], { rng })],
    operation: (x, w) => bio.groupedLinear(x, w, groups(sizes)),
    oracle: (x, w) => {
      const offsets = groups(sizes)
      const parts = Array.from({ length: 4 }, (_, e) =>
        oracle.matmul(x.subarray(offsets[e]! * 3, offsets[e + 1]! * 3), w.subarray(e * 6, (e + 1) * 6), {
          k: 3,
          n: 2,
          transposed: true,
        }),
      )
      return Float64Array.from(parts.flatMap((part) => [...part]))
    },
  }),
  swigluExperts: (sizes, rng) => ({
    inputs: [
      randn([sizes.m + sizes.n + sizes.k, 3], { rng }),
      randn([4, 4, 3], { rng }),
      randn([4, 3, 2], { rng }),
    ],
    operation: (x, gateUp, down) => bio.swigluExperts(x, gateUp, down, groups(sizes)),
    oracle: (x, gateUp, down) => {
      const offsets = groups(sizes)
      const parts = Array.from({ length: 4 }, (_, e) => {
        const rows = x.subarray(offsets[e]! * 3, offsets[e + 1]! * 3)
        const both = oracle.matmul(rows, gateUp.subarray(e * 12, (e + 1) * 12), {
          k: 3,
          n: 4,
          transposed: true,
        })
        const inner = oracle.perRow(both, 4, (row) =>
          row.subarray(0, 2).map((gate, i) => oracle.activations.silu(gate) * row[i + 2]!),
        )
        return oracle.matmul(inner, down.subarray(e * 6, (e + 1) * 6), { k: 2, n: 3, transposed: true })
      })
      return Float64Array.from(parts.flatMap((part) => [...part]))
    },
  }),
  softmax: ({ m, n }, rng) => ({
    inputs: [randn([m, n], { rng })],
    operation: (x) => x.softmax(),
    oracle: (x) => oracle.perRow(x, n, oracle.softmax),
  }),
  logSoftmax: ({ m, n }, rng) => ({
    inputs: [randn([m, n], { rng })],
    operation: (x) => x.logSoftmax(),
    oracle: (x) => oracle.perRow(x, n, oracle.logSoftmax),
  }),
  rmsNorm: ({ m, n }, rng) => ({
    inputs: [randn([m, n], { rng }), randn([n], { rng })],
    operation: (x, w) => bio.rmsNorm(x, w, 1e-3),
    oracle: (x, w) => oracle.perRow(x, n, (row) => oracle.rmsNorm(row, w, 1e-3)),
  }),
  layerNorm: ({ m, n }, rng) => ({
    inputs: [randn([m, n + 2], { rng }), randn([n + 2], { rng }), randn([n + 2], { rng })],
    operation: (x, w, b) => bio.layerNorm(x, w, b, 1e-2),
    oracle: (x, w, b) => oracle.perRow(x, n + 2, (row) => oracle.layerNorm(row, w, b, 1e-2)),
  }),
  swiglu: ({ m, n }, rng) => ({
    inputs: [randn([m, 2 * n], { rng })],
    operation: bio.swiglu,
    oracle: (x) =>
      oracle.perRow(x, 2 * n, (row) =>
        row.subarray(0, n).map((gate, i) => oracle.activations.silu(gate) * row[n + i]!),
      ),
  }),
  crossEntropy: ({ m, n }, rng) => {
    const targets = Int32Array.from({ length: m }, () => rng.int(n))
    return {
      inputs: [randn([m, n], { rng })],
      operation: (x) => bio.crossEntropy(x, bio.fromData(targets)),
      oracle: (x) =>
        Float64Array.of(
          targets.reduce(
            (sum, target, r) => sum - oracle.logSoftmax(x.subarray(r * n, (r + 1) * n))[target]! / m,
            0,
          ),
        ),
    }
  },
  attention: ({ m, n, k }, rng) => {
    const [heads, headDim] = [2 * k, 2 * n]
    const keys = (): Tensor => randn([2, m, k, headDim], { rng })
    return {
      inputs: [randn([2, m, heads, headDim], { rng }), keys(), keys()],
      operation: (q, key, v) => bio.attention(q, key, v, { causal: n % 2 === 0 }),
      oracle: (q, key, v) =>
        oracle.attention(q, key, v, { length: m, heads, kvHeads: k, headDim, causal: n % 2 === 0 }),
    }
  },
  rotary: ({ m, n, k }, rng) => {
    const positions = Int32Array.from({ length: m }, () => rng.int(50))
    return {
      inputs: [randn([1, m, n, 2 * k], { rng })],
      operation: (x) => bio.rotary(x, positions, { theta: 100 }),
      oracle: (x) => oracle.rotary(x, positions, { heads: n, headDim: 2 * k, theta: 100 }),
    }
  },
  scatterAddRows: ({ m, n, k }, rng) => {
    const index = Int32Array.from({ length: m }, () => rng.int(k))
    return {
      inputs: [randn([m, n], { rng }), randn([m], { rng })],
      operation: (x, scales) => bio.scatterAddRows(x, index, { rows: k, scales }),
      oracle: (x, scales) => {
        const out = new Float64Array(k * n)
        index.forEach((to, r) => {
          for (let i = 0; i < n; i++) out[to * n + i]! += scales[r]! * x[r * n + i]!
        })
        return out
      },
    }
  },
  gatherRows: ({ m, n, k }, rng) => {
    const index = Int32Array.from({ length: m }, () => rng.int(k))
    return {
      inputs: [randn([k, n], { rng })],
      operation: (x) => bio.gatherRows(x, index),
      oracle: (x) =>
        Float64Array.from(Array.from(index).flatMap((row) => [...x.subarray(row * n, (row + 1) * n)])),
    }
  },
  'a value that is used twice': ({ m, n }, rng) => ({
    inputs: [randn([m, n], { rng })],
    operation: (x) => x.mul(x).add(x).reshape([n, m]).transpose(0, 1).mul(x.sum()),
    oracle: (x) => {
      const total = x.reduce((sum, value) => sum + value, 0)
      return x.map((_, i) => {
        const [row, column] = [Math.floor(i / n), i % n]
        const value = x[column * m + row]!
        return (value * value + value) * total
      })
    },
  }),
}

describe('outputs and gradients agree with f64 differences, on ragged shapes', () => {
  test.each(Object.keys(checks))('%s', (name) => {
    const size = fc.integer({ min: 1, max: 5 })
    const property = fc.property(size, size, size, fc.nat(1000), (m, n, k, seed) => {
      const rng = new Rng(seed)
      const { inputs, ...check } = checks[name]!({ m, n, k }, rng)
      const errors = checkGradient(inputs, { ...check, rng })
      expect(errors.output).toBeLessThan(1e-5)
      expect(errors.gradient).toBeLessThan(2e-4)
    })
    fc.assert(property, { numRuns: 12, seed: 1 })
  })
})

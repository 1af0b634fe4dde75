import { expect, test } from 'vitest'
import { error, readGolden, type Golden } from '../__fixtures__/golden.js'
import * as bio from '../index.js'
import { fromData, tensor, type Tensor } from '../index.js'

interface Case {
  readonly inputs: Golden[]
  readonly output: Golden
  readonly dy: Golden
  readonly gradients: number[][]
  readonly targets: number[]
  readonly ids: number[]
  readonly offsets: number[]
  readonly positions: number[]
  readonly p: number[]
}

const { source, cases } = readGolden<{ source: string; cases: Record<string, Case> }>('operations')
const classes = (targets: number[]): Tensor => tensor(targets, { dtype: 'i32' })

type Run = (inputs: Tensor[], golden: Case) => Tensor
const loss =
  (reduction: 'mean' | 'sum' | 'none'): Run =>
  ([x], { targets }) =>
    bio.crossEntropy(x!, classes(targets), { reduction })

const operations: Record<string, Run> = {
  add: ([a, b]) => a!.add(b!),
  'add broadcast': ([a, b]) => a!.add(b!),
  'sub broadcast': ([a, b]) => a!.sub(b!),
  'mul broadcast': ([a, b]) => a!.mul(b!),
  'div broadcast': ([a, b]) => a!.div(b!),
  exp: ([x]) => x!.exp(),
  log: ([x]) => x!.log(),
  sqrt: ([x]) => x!.sqrt(),
  matmul: ([a, b]) => a!.matmul(b!),
  'matmul batched': ([a, b]) => a!.matmul(b!),
  'matmul transposed': ([a, b]) => a!.matmul(b!, { transposeB: true }),
  sum: ([x]) => x!.sum(1),
  mean: ([x]) => x!.mean(-1),
  transpose: ([x]) => x!.transpose(0, 2),
  narrow: ([x]) => x!.narrow(1, 1, 2),
  concat: (parts) => bio.concat(parts, 1),
  stack: (parts) => bio.stack(parts, 1),
  relu: ([x]) => x!.relu(),
  gelu: ([x]) => x!.gelu(),
  geluTanh: ([x]) => x!.geluTanh(),
  silu: ([x]) => x!.silu(),
  sigmoid: ([x]) => x!.sigmoid(),
  tanh: ([x]) => x!.tanh(),
  swiglu: ([x]) => bio.swiglu(x!),
  softmax: ([x]) => x!.softmax(),
  logSoftmax: ([x]) => x!.logSoftmax(),
  linear: ([x, w, b]) => bio.linear(x!, w!, b!),
  rmsNorm: ([x, w]) => bio.rmsNorm(x!, w!, 1e-5),
  layerNorm: ([x, w, b]) => bio.layerNorm(x!, w!, b!, 1e-5),
  'crossEntropy mean': loss('mean'),
  'crossEntropy sum': loss('sum'),
  'crossEntropy none': loss('none'),
  mseLoss: ([a, b]) => bio.mseLoss(a!, b!),
  klDivergence: ([q], { p }) => bio.klDivergence(q!, tensor(p, { shape: q!.shape })),
  embedding: ([w], { ids }) => bio.embedding(classes(ids), w!),
  gatherRows: ([x], { ids }) => bio.gatherRows(x!, Int32Array.from(ids)),
  scatterAddRows: ([x, scales], { ids }) =>
    bio.scatterAddRows(x!, Int32Array.from(ids), { rows: 5, scales: scales! }),
  groupedLinear: ([x, w], { offsets }) => bio.groupedLinear(x!, w!, Int32Array.from(offsets)),
  rotary: ([x], { positions }) => bio.rotary(x!, Int32Array.from(positions), { theta: 10_000 }),
  'attention causal': ([q, k, v]) => bio.attention(q!, k!, v!, { causal: true }),
  attention: ([q, k, v]) => bio.attention(q!, k!, v!, { causal: false }),
}

test('every golden case has an operation here', () => {
  expect(source).toMatch(/^PyTorch/)
  expect(Object.keys(operations).toSorted()).toEqual(Object.keys(cases).toSorted())
})

test.each(Object.keys(cases))('%s has the values and gradients of PyTorch', (name) => {
  const golden = cases[name]!
  const inputs = golden.inputs.map(({ shape, data }) => tensor(data, { shape, requiresGrad: true }))
  const y = operations[name]!(inputs, golden)
  expect(y.shape).toEqual(golden.output.shape)
  expect(error(y.data, golden.output.data)).toBeLessThan(2e-6)
  y.backward(fromData(Float32Array.from(golden.dy.data), golden.dy.shape))
  inputs.forEach((input, i) => expect(error(input.grad!.data, golden.gradients[i]!)).toBeLessThan(5e-6))
})

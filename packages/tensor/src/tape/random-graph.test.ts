import fc from 'fast-check'
import { expect, test } from 'vitest'
import { checkpoint, concat, dropout, randn, Rng, savedTensorHooks, tensor, type Tensor } from '../index.js'

/** One step of a random program: an operation on values made before, named by their distance from the end. */
interface Step {
  readonly kind: number
  readonly a: number
  readonly b: number
}

const step = fc.record({ kind: fc.nat(8), a: fc.nat(100), b: fc.nat(100) })
const size = 6

function apply({ kind, a, b }: Step, values: readonly Tensor[], rng: Rng): Tensor {
  const pick = (place: number): Tensor => values[values.length - 1 - (place % values.length)]!
  const [x, y] = [pick(a), pick(b)]
  if (kind === 0) return x.add(y)
  if (kind === 1) return x.sub(y)
  if (kind === 2) return x.mul(y).tanh()
  if (kind === 3) return x.reshape([2, 3]).softmax().reshape([size])
  if (kind === 4) return concat([y.narrow(0, 2, 4), x.narrow(0, 0, 2)])
  if (kind === 5)
    return x
      .reshape([2, 3])
      .matmul(y.reshape([2, 3]), { transposeB: true })
      .sum()
      .mul(x)
      .sigmoid()
  if (kind === 6) return dropout(x, { p: 0.3, rng, training: true })
  if (kind === 7) return x.mul(x.detach()).tanh()
  return x.reshape([3, 2]).transpose(0, 1).reshape([size]).add(y.mean())
}

type Wrap = (fn: (...inputs: Tensor[]) => Tensor, inputs: Tensor[]) => Tensor

/** Runs a program, each `width` steps through `wrap`, and returns what can be seen: value, gradients, random state. */
function run(program: readonly Step[], { width, wrap }: { width: number; wrap: Wrap }): unknown {
  const rng = new Rng(7)
  const leaves = [
    randn([size], { rng, requiresGrad: true }),
    randn([size], { rng }),
    randn([size], { rng, requiresGrad: true }),
  ]
  let values: Tensor[] = [...leaves]
  for (let from = 0; from < program.length; from += width) {
    const segment = program.slice(from, from + width)
    const inside = (...inputs: Tensor[]): Tensor => {
      const all = [...inputs]
      for (const next of segment) all.push(apply(next, all, rng))
      return all.at(-1)!
    }
    values = [...values, wrap(inside, values)]
  }
  const loss = values
    .reduce((sum, value) => sum.add(value))
    .mul(values.at(-1)!)
    .sum()
  loss.backward()
  return [loss.item(), leaves.map(({ grad }) => grad?.toArray()), rng.state]
}

const plain: Wrap = (fn, inputs) => fn(...inputs)
const variants: Record<string, Wrap> = {
  checkpointed: (fn, inputs) => checkpoint(fn, ...inputs),
  'checkpointed twice': (fn, inputs) => checkpoint((...outer) => checkpoint(fn, ...outer), ...inputs),
  'with values packed and unpacked': (fn, inputs) =>
    savedTensorHooks(
      {
        pack: ({ data, shape }) => ({ list: Array.from(data), shape }),
        unpack: ({ list, shape }) => tensor(list, { shape }),
      },
      () => fn(...inputs),
    ),
}

test.each(Object.keys(variants))('any program has the same bits %s', (name) => {
  fc.assert(
    fc.property(
      fc.array(step, { minLength: 1, maxLength: 25 }),
      fc.integer({ min: 1, max: 8 }),
      (program, width) => {
        expect(run(program, { width, wrap: variants[name]! })).toEqual(run(program, { width, wrap: plain }))
      },
    ),
    { numRuns: 150 },
  )
})

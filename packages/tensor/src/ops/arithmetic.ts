import { getKernels } from '@bio/kernels'
import { allocate, giveBack } from '../pool.js'
import { record } from '../tape/record.js'
import type { Backward } from '../tape/node.js'
import { f32, type Tensor } from '../tensor.js'
import { broadcast, repeat, sumCopies } from './broadcast.js'

/** a + b. */
export function add(a: Tensor, b: Tensor | number): Tensor {
  if (typeof b === 'number') return addNumber('add', a, b)
  const shape = broadcast(a, b, 'add')
  const [sizeA, sizeB] = [a.size, b.size]
  const data = combine(a, b, { operation: 'add', size: shape === a.shape ? sizeA : sizeB })
  return record('add', [a, b], {
    shape,
    data,
    backward:
      sizeA === sizeB
        ? toBoth
        : (dy, _, needs) => [
            needs[0] ? sumCopies(dy, sizeA) : undefined,
            needs[1] ? sumCopies(dy, sizeB) : undefined,
          ],
  })
}

const toBoth: Backward = (dy) => [dy, dy]

/** a − b. */
export function sub(a: Tensor, b: Tensor | number): Tensor {
  if (typeof b === 'number') return addNumber('sub', a, -b)
  const shape = broadcast(a, b, 'sub')
  const [sizeA, sizeB] = [a.size, b.size]
  const data = combine(a, b, { operation: 'sub', size: shape === a.shape ? sizeA : sizeB })
  return record('sub', [a, b], {
    shape,
    data,
    backward: (dy, _, needs) => [
      needs[0] ? sumCopies(dy, sizeA) : undefined,
      needs[1] ? negated(dy, sizeB) : undefined,
    ],
  })
}

/** −dy summed over copies, in memory of its own. */
function negated(dy: Float32Array, size: number): Float32Array {
  const sum = sumCopies(dy, size)
  const out = sum === dy ? allocate(size) : sum
  getKernels().scale(out, sum, -1)
  return out
}

/** a ⊙ b. */
export function mul(a: Tensor, b: Tensor | number): Tensor {
  if (typeof b === 'number') return scale(a, b)
  const shape = broadcast(a, b, 'mul')
  const data = combine(a, b, { operation: 'mul', size: shape === a.shape ? a.size : b.size })
  return record('mul', [a, b], { shape, data, backward: mulBackward }, { saved: [a, b] })
}

const mulBackward: Backward = (dy, [a, b], needs) => [
  needs[0] ? productSummed(dy, f32(b!, 'mul'), a!.size) : undefined,
  needs[1] ? productSummed(dy, f32(a!, 'mul'), b!.size) : undefined,
]

/** dy ⊙ other, the latter repeated, summed over copies to `size`. */
function productSummed(dy: Float32Array, other: Float32Array, size: number): Float32Array {
  const out = allocate(dy.length)
  const repeated = repeat(other, dy.length)
  getKernels().multiply(out, dy, repeated)
  if (repeated !== other) giveBack(repeated)
  const sum = sumCopies(out, size)
  if (sum !== out) giveBack(out)
  return sum
}

/** a / b. */
export function div(a: Tensor, b: Tensor | number): Tensor {
  if (typeof b === 'number') return divNumber(a, b)
  const shape = broadcast(a, b, 'div')
  const data = combine(a, b, { operation: 'div', size: shape === a.shape ? a.size : b.size })
  return record(
    'div',
    [a, b],
    {
      shape,
      data,
      backward: divBackward,
    },
    { saved: [a, b] },
  )
}

/** da = dy / b, db = −dy·a / b². */
const divBackward: Backward = (dy, saved, needs) => {
  const [a, b] = saved.map((tensor) => f32(tensor, 'div'))
  const divisor = repeat(b!, dy.length)
  const quotient = allocate(dy.length)
  for (let i = 0; i < dy.length; i++) quotient[i] = dy[i]! / divisor[i]!
  let db: Float32Array | undefined
  if (needs[1]) {
    const dividend = repeat(a!, dy.length)
    const all = allocate(dy.length)
    for (let i = 0; i < dy.length; i++) all[i] = (-quotient[i]! * dividend[i]!) / divisor[i]!
    db = sumCopies(all, b!.length)
    if (db !== all) giveBack(all)
    if (dividend !== a) giveBack(dividend)
  }
  if (divisor !== b) giveBack(divisor)
  const da = needs[0] ? sumCopies(quotient, a!.length) : undefined
  if (da !== quotient) giveBack(quotient)
  return [da, db]
}

/** a·factor. */
function scale(a: Tensor, factor: number): Tensor {
  const data = allocate(a.size)
  getKernels().scale(data, f32(a, 'mul'), factor)
  return record('mul', [a], {
    shape: a.shape,
    data,
    backward: (dy) => {
      getKernels().scale(dy, dy, factor)
      return [dy]
    },
  })
}

/** a / divisor, divided (not multiplied by the reciprocal, which rounds twice). */
function divNumber(a: Tensor, divisor: number): Tensor {
  const x = f32(a, 'div')
  const data = allocate(x.length)
  for (let i = 0; i < x.length; i++) data[i] = x[i]! / divisor
  return record('div', [a], {
    shape: a.shape,
    data,
    backward: (dy) => {
      for (let i = 0; i < dy.length; i++) dy[i]! /= divisor
      return [dy]
    },
  })
}

function addNumber(operation: string, a: Tensor, value: number): Tensor {
  const x = f32(a, operation)
  const data = allocate(x.length)
  for (let i = 0; i < x.length; i++) data[i] = x[i]! + value
  return record(operation, [a], { shape: a.shape, data, backward: passOn })
}

const passOn: Backward = (dy) => [dy]

/** a ∘ b with the smaller one repeated. */
function combine(
  a: Tensor,
  b: Tensor,
  { operation, size }: { operation: 'add' | 'sub' | 'mul' | 'div'; size: number },
): Float32Array {
  const [dataA, dataB] = [f32(a, operation), f32(b, operation)]
  const out = allocate(size)
  const x = repeat(dataA, size)
  const y = repeat(dataB, size)
  if (operation === 'add') getKernels().add(out, x, y)
  else if (operation === 'mul') getKernels().multiply(out, x, y)
  else if (operation === 'sub') for (let i = 0; i < size; i++) out[i] = x[i]! - y[i]!
  else for (let i = 0; i < size; i++) out[i] = x[i]! / y[i]!
  if (x !== dataA) giveBack(x)
  if (y !== dataB) giveBack(y)
  return out
}

import { allocate } from '../pool.js'
import { record } from '../tape/record.js'
import type { Backward } from '../tape/node.js'
import { f32, type Tensor } from '../tensor.js'

/** eˣ. */
export function exp(x: Tensor): Tensor {
  const data = allocate(x.size)
  const values = f32(x, 'exp')
  for (let i = 0; i < data.length; i++) data[i] = Math.exp(values[i]!)
  return record('exp', [x], { shape: x.shape, data, backward: expBackward }, { saveOutput: true })
}

const expBackward: Backward = (dy, [y]) => {
  const values = f32(y!, 'exp')
  for (let i = 0; i < dy.length; i++) dy[i]! *= values[i]!
  return [dy]
}

/** Natural logarithm. */
export function log(x: Tensor): Tensor {
  const data = allocate(x.size)
  const values = f32(x, 'log')
  for (let i = 0; i < data.length; i++) data[i] = Math.log(values[i]!)
  return record('log', [x], { shape: x.shape, data, backward: logBackward }, { saved: [x] })
}

const logBackward: Backward = (dy, [x]) => {
  const values = f32(x!, 'log')
  for (let i = 0; i < dy.length; i++) dy[i]! /= values[i]!
  return [dy]
}

export function sqrt(x: Tensor): Tensor {
  const data = allocate(x.size)
  const values = f32(x, 'sqrt')
  for (let i = 0; i < data.length; i++) data[i] = Math.sqrt(values[i]!)
  return record('sqrt', [x], { shape: x.shape, data, backward: sqrtBackward }, { saveOutput: true })
}

const sqrtBackward: Backward = (dy, [y]) => {
  const values = f32(y!, 'sqrt')
  for (let i = 0; i < dy.length; i++) dy[i]! /= 2 * values[i]!
  return [dy]
}

import type { Backend } from '../backend.js'
import { checkArray, checkNumber, checkOneOf, checkSize } from '../checks.js'
import type { Activation, AdamWOptions, Kernels, ProductShape, SgdOptions } from '../interface.js'

type ElementwiseKernels = Pick<
  Kernels,
  | 'activate'
  | 'activateBackward'
  | 'swiglu'
  | 'swigluBackward'
  | 'add'
  | 'multiply'
  | 'scale'
  | 'addScaled'
  | 'sum'
  | 'sumOfSquares'
  | 'toBf16'
  | 'fromBf16'
  | 'adamW'
  | 'adamWByProduct'
  | 'sgd'
  | 'sgdByProduct'
>

/** Made once: a step calls these checks for every parameter. */
const [atLeast0, above0] = [{ low: 0 }, { above: 0 }]
const kinds: readonly Activation[] = ['relu', 'gelu', 'gelu-tanh', 'silu', 'sigmoid', 'tanh']

/** The elementwise kernels of a backend, arguments checked first. */
export function checkedElementwise(backend: Backend): ElementwiseKernels {
  return {
    activate(out, x, kind) {
      checkOneOf('activate', 'kind', kind, kinds)
      checkArray('activate', 'x', x)
      checkArray('activate', 'out', out, x.length)
      backend.activate(out, x, kind)
    },
    activateBackward(dx, dy, x, kind) {
      checkOneOf('activateBackward', 'kind', kind, kinds)
      checkArray('activateBackward', 'x', x)
      checkArray('activateBackward', 'dx', dx, x.length)
      checkArray('activateBackward', 'dy', dy, x.length)
      backend.activateBackward(dx, dy, x, kind)
    },
    swiglu(out, gateUp, options) {
      const { rows, hidden } = options
      checkSize('swiglu', 'rows', rows)
      checkSize('swiglu', 'hidden', hidden, 1)
      checkArray('swiglu', 'out', out, rows * hidden)
      checkArray('swiglu', 'gateUp', gateUp, 2 * rows * hidden)
      backend.swiglu(out, gateUp, options)
    },
    swigluBackward(dGateUp, dy, gateUp, options) {
      const { rows, hidden } = options
      checkSize('swigluBackward', 'rows', rows)
      checkSize('swigluBackward', 'hidden', hidden, 1)
      checkArray('swigluBackward', 'dGateUp', dGateUp, 2 * rows * hidden)
      checkArray('swigluBackward', 'dy', dy, rows * hidden)
      checkArray('swigluBackward', 'gateUp', gateUp, 2 * rows * hidden)
      backend.swigluBackward(dGateUp, dy, gateUp, options)
    },
    add(out, a, b) {
      checkTwo('add', out, a, b)
      backend.add(out, a, b)
    },
    multiply(out, a, b) {
      checkTwo('multiply', out, a, b)
      backend.multiply(out, a, b)
    },
    scale(out, a, factor) {
      checkArray('scale', 'a', a)
      checkArray('scale', 'out', out, a.length)
      backend.scale(out, a, factor)
    },
    addScaled(out, a, factor) {
      checkArray('addScaled', 'a', a)
      checkArray('addScaled', 'out', out, a.length)
      backend.addScaled(out, a, factor)
    },
    sum(x) {
      checkArray('sum', 'x', x)
      return backend.sum(x)
    },
    sumOfSquares(x) {
      checkArray('sumOfSquares', 'x', x)
      return backend.sumOfSquares(x)
    },
    toBf16(out, x) {
      checkArray('toBf16', 'x', x)
      checkArray('toBf16', 'out', out, x.length, Uint16Array)
      backend.toBf16(out, x)
    },
    fromBf16(out, x) {
      checkArray('fromBf16', 'x', x, undefined, Uint16Array)
      checkArray('fromBf16', 'out', out, x.length)
      backend.fromBf16(out, x)
    },
    adamW(parameter, gradient, firstMoment, secondMoment, options) {
      checkAdamW('adamW', options)
      const size = parameter.length
      checkArray('adamW', 'parameter', parameter)
      checkArray('adamW', 'gradient', gradient, size)
      checkArray('adamW', 'firstMoment', firstMoment, size)
      checkArray('adamW', 'secondMoment', secondMoment, size)
      backend.adamW(parameter, gradient, firstMoment, secondMoment, options)
    },
    adamWByProduct(parameter, dy, x, firstMoment, secondMoment, options) {
      checkAdamW('adamWByProduct', options)
      const size = checkProduct('adamWByProduct', dy, x, options)
      checkArray('adamWByProduct', 'parameter', parameter, size)
      checkArray('adamWByProduct', 'firstMoment', firstMoment, size)
      checkArray('adamWByProduct', 'secondMoment', secondMoment, size)
      backend.adamWByProduct(parameter, dy, x, firstMoment, secondMoment, options)
    },
    sgd(parameter, gradient, velocity, options) {
      checkSgd('sgd', options)
      const size = parameter.length
      checkArray('sgd', 'parameter', parameter)
      checkArray('sgd', 'gradient', gradient, size)
      if (velocity !== undefined || options.momentum > 0) checkArray('sgd', 'velocity', velocity!, size)
      backend.sgd(parameter, gradient, velocity, options)
    },
    sgdByProduct(parameter, dy, x, velocity, options) {
      checkSgd('sgdByProduct', options)
      const size = checkProduct('sgdByProduct', dy, x, options)
      checkArray('sgdByProduct', 'parameter', parameter, size)
      if (velocity !== undefined || options.momentum > 0)
        checkArray('sgdByProduct', 'velocity', velocity!, size)
      backend.sgdByProduct(parameter, dy, x, velocity, options)
    },
  }
}

function checkAdamW(operation: string, options: AdamWOptions): void {
  const { learningRate, beta1, beta2, epsilon, weightDecay, step } = options
  checkNumber(operation, 'learningRate', learningRate, atLeast0)
  checkNumber(operation, 'weightDecay', weightDecay, atLeast0)
  checkNumber(operation, 'beta1', beta1, atLeast0)
  checkNumber(operation, '1 - beta1', 1 - beta1, above0)
  checkNumber(operation, 'beta2', beta2, atLeast0)
  checkNumber(operation, '1 - beta2', 1 - beta2, above0)
  checkNumber(operation, 'epsilon', epsilon, above0)
  checkSize(operation, 'step', step, 1)
}

function checkSgd(operation: string, { learningRate, momentum, weightDecay }: SgdOptions): void {
  checkNumber(operation, 'learningRate', learningRate, atLeast0)
  checkNumber(operation, 'momentum', momentum, atLeast0)
  checkNumber(operation, 'weightDecay', weightDecay, atLeast0)
}

/** Returns how many values dyᵀ·x has. */
function checkProduct(
  operation: string,
  dy: Float32Array,
  x: Float32Array,
  { rows, n, k }: ProductShape,
): number {
  checkSize(operation, 'rows', rows)
  checkSize(operation, 'n', n)
  checkSize(operation, 'k', k)
  checkArray(operation, 'dy', dy, rows * n)
  checkArray(operation, 'x', x, rows * k)
  return n * k
}

function checkTwo(operation: string, out: Float32Array, a: Float32Array, b: Float32Array): void {
  checkArray(operation, 'a', a)
  checkArray(operation, 'b', b, a.length)
  checkArray(operation, 'out', out, a.length)
}

import { BioError } from '@bio/errors'
import { fromData } from '../create.js'
import { zeroGrad } from '../modules/module.js'
import { formatShape, sameShape } from '../shape.js'
import { backward } from '../tape/backward.js'
import type { WeightProduct } from '../tape/weight-product.js'
import type { Tensor } from '../tensor.js'

/** What changes parameters by their gradients. */
export abstract class Optimizer {
  /** Learning rate: set it before each step to follow a schedule. */
  lr: number
  protected readonly parameters: readonly Tensor[]
  /** Steps that each parameter has taken: one without gradient takes none. */
  protected readonly steps: Int32Array
  /** Per slot (`momentum`, …) and parameter; made when first needed. */
  protected readonly slots: Record<string, (Float32Array | undefined)[]>
  readonly #places: ReadonlyMap<Tensor, number>

  constructor(parameters: Iterable<Tensor>, { lr, slots }: { lr: number; slots: readonly string[] }) {
    this.parameters = [...new Set(parameters)]
    checkPositive('lr', lr)
    for (const { dtype, isLeaf } of this.parameters) {
      if (dtype !== 'f32' || !isLeaf)
        refuse('ERR_BIO_DTYPE', 'f32 leaf tensors', isLeaf ? dtype : 'the result of an operation')
    }
    this.lr = lr
    this.#places = new Map(this.parameters.map((parameter, index) => [parameter, index]))
    this.steps = new Int32Array(this.parameters.length)
    this.slots = Object.fromEntries(slots.map((name) => [name, this.parameters.map(() => undefined)]))
  }

  /** Changes each parameter that has a gradient. Errors: ERR_BIO_VALUE (`lr` negative or not finite), ERR_BIO_SHAPE (a gradient). */
  step(): void {
    this.#check()
    this.parameters.forEach((parameter, index) => {
      if (parameter.grad === undefined || !parameter.requiresGrad) return
      this.steps[index]!++
      this.update(parameter.data as Float32Array, parameter.grad.data as Float32Array, index)
      parameter.storage.version++
    })
  }

  /**
   * `loss.backward()`, `step()` and `zeroGrad()` in one, to the same bits, in less time and memory: the weight of a linear layer takes its
   * step while its gradient is summed, block by block, and never has one as a whole. Call those three where you want the gradients:
   * to clip, to scale or to gather them over several losses. A weight that has a gradient already, or is used more than once or inside of
   * `checkpoint`, takes its step at the end like all other parameters.
   *
   * Errors: those of `backward` and `step`. Where an operation fails midway, some weights may have taken their step.
   */
  minimize(loss: Tensor): void {
    this.#check()
    backward(loss, undefined, (parameter, product) => {
      const index = this.#places.get(parameter)
      if (index === undefined || parameter.grad !== undefined || !parameter.requiresGrad) return false
      this.steps[index]!++
      this.updateByProduct(parameter.data as Float32Array, product, index)
      parameter.storage.version++
      return true
    })
    this.step()
    this.zeroGrad()
  }

  #check(): void {
    checkPositive('lr', this.lr)
    for (const { grad, shape } of this.parameters) {
      if (grad !== undefined && !sameShape(grad.shape, shape))
        refuse('ERR_BIO_SHAPE', `grad ${formatShape(shape)}`, formatShape(grad.shape))
    }
  }

  protected abstract update(parameter: Float32Array, gradient: Float32Array, index: number): void

  /** `update` by a gradient that is not summed yet. */
  protected abstract updateByProduct(parameter: Float32Array, product: WeightProduct, index: number): void

  /** Forgets the gradients; their memory goes back to the pool. */
  zeroGrad(): void {
    zeroGrad(this.parameters)
  }

  /** State by the parameter's place: `optimizer.steps`, `optimizer.firstMoment.0`, … not copied. The constructor's options are not in it. */
  stateDict(): Record<string, Tensor> {
    const state: Record<string, Tensor> = { 'optimizer.steps': fromData(this.steps) }
    for (const [slot, arrays] of Object.entries(this.slots)) {
      arrays.forEach((array, i) => {
        if (array !== undefined) state[`optimizer.${slot}.${i}`] = fromData(array, this.parameters[i]!.shape)
      })
    }
    return state
  }

  /** Copies state in; entries that don't start with `optimizer.` are passed over. ERR_BIO_STATE, before anything changed, if it doesn't fit. */
  loadStateDict(state: Readonly<Record<string, Tensor>>): void {
    const steps = state['optimizer.steps']
    if (steps?.dtype !== 'i32' || steps.size !== this.steps.length) {
      refuse(
        'ERR_BIO_STATE',
        `optimizer.steps, i32 [${this.steps.length}]`,
        steps === undefined ? 'nothing' : `${steps.dtype} ${formatShape(steps.shape)}`,
      )
    }
    const loaded = Object.keys(this.slots).map((slot) =>
      this.parameters.map((parameter, i) => {
        const name = `optimizer.${slot}.${i}`
        const value = Object.hasOwn(state, name) ? state[name] : undefined
        if (value !== undefined && (value.dtype !== 'f32' || !sameShape(value.shape, parameter.shape))) {
          refuse(
            'ERR_BIO_STATE',
            `${name} f32 ${formatShape(parameter.shape)}`,
            `${value.dtype} ${formatShape(value.shape)}`,
          )
        }
        return (value?.data as Float32Array | undefined)?.slice()
      }),
    )
    this.steps.set(steps!.data as Int32Array)
    Object.values(this.slots).forEach((arrays, slot) => arrays.splice(0, arrays.length, ...loaded[slot]!))
  }

  /** The array of a slot, zeros at first. */
  protected slot(name: string, index: number): Float32Array {
    const arrays = this.slots[name]!
    return (arrays[index] ??= new Float32Array(this.parameters[index]!.size))
  }
}

/** Throws ERR_BIO_VALUE unless `value` is finite and at least 0. */
export function checkPositive(name: string, value: number): void {
  if (!(Number.isFinite(value) && value >= 0))
    refuse('ERR_BIO_VALUE', `${name}, a finite number of at least 0`, String(value))
}

function refuse(code: string, expected: string, received: string): never {
  throw new BioError(code, { operation: 'Optimizer', expected, received })
}

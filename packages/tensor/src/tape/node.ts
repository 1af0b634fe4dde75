import { BioError } from '@bio/errors'
import { giveBack } from '../pool.js'
import type { Storage } from '../storage.js'
import type { Tensor } from '../tensor.js'
import { currentHooks, pack, unpack, type SavedTensorHooks } from './hooks.js'
import type { WeightProduct } from './weight-product.js'

/**
 * Gradients for each input, from the gradient of the output. `needs[i]` is false where input i has no use for one (return undefined
 * there). Each array comes from `allocate`, or is `dy` itself, which may be overwritten.
 */
export type Backward = (
  dy: Float32Array,
  saved: readonly Tensor[],
  needs: readonly boolean[],
) => readonly (Float32Array | undefined)[]

/** `Backward` of an operation of this package, which may leave a product to be summed where it is used. */
export type LazyBackward = (
  ...args: Parameters<Backward>
) => readonly (Float32Array | WeightProduct | undefined)[]

/** Where a gradient goes: to the operation that made the input, to a leaf, or nowhere. */
export type Edge = Node | Tensor | undefined

let sequence = 0

/** One recorded operation. It holds what backward needs and no more: not its inputs, unless they are saved. */
export class Node {
  /** Operations in the order of their making; backward goes the other way. */
  readonly sequence: number = sequence++
  readonly name: string
  readonly size: number
  edges: readonly Edge[]
  needs: readonly boolean[]
  backward: LazyBackward | undefined
  /** The gradient gathered so far for the output. */
  gradient: Float32Array | undefined = undefined
  /** Mark of the last walk that met this node. */
  visited = 0
  /** Memory that goes back to the pool when backward has passed. */
  owned: readonly Storage[]
  #saved: readonly unknown[]
  #shapes: readonly (readonly number[])[] = []
  #hooks: SavedTensorHooks<unknown> | undefined = currentHooks()
  #version = 0

  constructor(
    name: string,
    {
      size,
      inputs,
      backward,
      saved,
      owned,
    }: {
      size: number
      inputs: readonly Tensor[]
      backward: LazyBackward
      saved: readonly Tensor[]
      owned: readonly Storage[]
    },
  ) {
    this.name = name
    this.size = size
    this.edges = inputs.map((input) => (input.requiresGrad ? (input.node ?? input) : undefined))
    this.needs = inputs.map((input) => input.requiresGrad)
    this.backward = backward
    const hooks = this.#hooks
    if (hooks === undefined) {
      this.owned = owned
      this.#saved = saved
      for (const tensor of saved) this.#version += tensor.storage.version
    } else {
      // What the hooks left uncollected isn't ours to recycle: they may hold on to it.
      this.owned = []
      this.#shapes = saved.map((tensor) => tensor.shape)
      this.#saved = saved.map((tensor) => pack(hooks, tensor))
    }
  }

  /** The saved values, unpacked. Throws ERR_BIO_TAPE if one was changed in place since it was saved. */
  saved(): readonly Tensor[] {
    const hooks = this.#hooks
    if (hooks !== undefined) return this.#saved.map((handle, i) => unpack(hooks, handle, this.#shapes[i]!))
    const saved = this.#saved as readonly Tensor[]
    let version = 0
    for (const tensor of saved) version += tensor.storage.version
    if (version === this.#version) return saved
    throw new BioError('ERR_BIO_TAPE', {
      operation: `${this.name} backward`,
      expected: 'the values of the forward pass',
      received: 'values that changed since (an optimiser step or loadStateDict)',
      hint: 'Call backward() before step().',
    })
  }

  /** Whether what backward will read is kept by hooks, which may compute it again. */
  get hasHooks(): boolean {
    return this.#hooks !== undefined
  }

  /** Saved tensors that are held as they are, without hooks between. */
  heldTensors(): readonly Tensor[] {
    return this.#hooks === undefined ? (this.#saved as readonly Tensor[]) : []
  }

  /** Gives all memory back and cuts the graph here: a second backward finds nothing. */
  free(): void {
    if (this.gradient !== undefined) giveBack(this.gradient)
    this.gradient = undefined
    for (const storage of this.owned) storage.release()
    const done = this.#hooks?.done
    if (done !== undefined) for (const handle of this.#saved) done.call(this.#hooks, handle)
    this.#saved = []
    this.owned = []
    this.edges = []
    this.#hooks = undefined
    this.backward = undefined
  }
}

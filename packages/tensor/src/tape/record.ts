import { BioError } from '@bio/errors'
import { giveBack } from '../pool.js'
import { refuseShape, sizeOf, type Shape } from '../shape.js'
import { Storage } from '../storage.js'
import { Tensor } from '../tensor.js'
import { isGradEnabled, withGrad } from './grad-mode.js'
import { Node, type Backward, type LazyBackward } from './node.js'
import { made } from './region.js'

/** What backward will read. */
interface Saved {
  readonly saved?: readonly Tensor[]
  /** Save the output too, after `saved`. */
  readonly saveOutput?: boolean
  /** More arrays made in the forward pass, after those. */
  readonly buffers?: readonly Float32Array[]
}

const nothing: Saved = {}
const none: readonly never[] = []

/** Makes the result of an operation and, while recording, its node. Takes over `data` and `buffers`. */
export function record(
  name: string,
  inputs: readonly Tensor[],
  { shape, data, backward }: { shape: Shape; data: Float32Array; backward: LazyBackward },
  { saved = none, saveOutput = false, buffers = none }: Saved = nothing,
): Tensor {
  const storage = new Storage(data, { pooled: true })
  made(storage)
  const output = new Tensor(storage, shape, 'f32')
  if (!isGradEnabled() || !inputs.some((input) => input.requiresGrad)) {
    for (const buffer of buffers) giveBack(buffer)
    return output
  }
  let owned = [storage]
  let all = saved
  if (saveOutput || buffers.length > 0) {
    const extra = buffers.map(
      (buffer) => new Tensor(new Storage(buffer, { pooled: true }), [buffer.length], 'f32'),
    )
    owned = [storage, ...extra.map((tensor) => tensor.storage)]
    for (const tensor of extra) made(tensor.storage)
    all = [...saved, ...(saveOutput ? [output] : none), ...extra]
  }
  output.attach(new Node(name, { size: data.length, inputs, backward, saved: all, owned }))
  return output
}

/** Like `record` for an output that shows its input's memory under another shape. */
export function recordView(name: string, input: Tensor, shape: Shape): Tensor {
  const output = new Tensor(input.storage, shape, input.dtype)
  if (isGradEnabled() && input.requiresGrad) {
    output.attach(
      new Node(name, { size: input.size, inputs: [input], backward: passOn, saved: none, owned: none }),
    )
  }
  return output
}

const passOn: Backward = (dy) => [dy]

/** An operation with its own derivative. */
export interface Operation {
  /** Named in errors. */
  readonly name: string
  /** Tensors that gradients go to. */
  readonly inputs: readonly Tensor[]
  /** f32 tensors that `backward` will read: inputs, or any others. */
  readonly saved?: readonly Tensor[]
  /** Also save the output: it follows `saved`. */
  readonly saveOutput?: boolean
  /** `data` (from `allocate`) becomes the output's memory; `buffers` are saved after the rest, one-dimensional. Not recorded. */
  forward(): {
    readonly shape: Shape
    readonly data: Float32Array
    readonly buffers?: readonly Float32Array[]
  }
  /** Gradients for `inputs`, in their order; see `Backward`. */
  readonly backward: Backward
}

/**
 * Runs a differentiable operation of your own. Values that `backward` reads belong in `saved` (not in its closure), so that hooks and
 * checkpoints see them and their memory returns to the pool. Indices and other integers may stay in the closure.
 *
 * Errors: ERR_BIO_SHAPE (data and shape, or a gradient's length, disagree), ERR_BIO_DTYPE (an input that needs a gradient isn't f32).
 *
 * @example
 * ```ts
 * import { allocate, apply, tensor } from '@bio/tensor'
 *
 * const cube = (x) =>
 *   apply({
 *     name: 'cube',
 *     inputs: [x],
 *     saved: [x],
 *     forward: () => ({ shape: x.shape, data: allocate(x.size).map((_, i) => x.data[i] ** 3) }),
 *     backward: (dy, [saved]) => [dy.map((d, i) => 3 * d * saved.data[i] ** 2)],
 *   })
 * const x = tensor([1, 2], { requiresGrad: true })
 * cube(x).sum().backward()
 * console.log(x.grad.toArray()) // => [ 3, 12 ]
 * ```
 */
export function apply(operation: Operation): Tensor {
  const { name, inputs, backward } = operation
  for (const input of [...inputs, ...(operation.saved ?? [])]) {
    if (input.dtype === 'f32') continue
    throw new BioError('ERR_BIO_DTYPE', {
      operation: name,
      expected: 'f32 inputs and saved tensors',
      received: input.dtype,
    })
  }
  const { shape, data, buffers = none } = withGrad(false, () => operation.forward())
  if (!(data instanceof Float32Array) || data.length !== sizeOf(shape, name)) {
    refuseShape(name, `forward to return a Float32Array of ${sizeOf(shape, name)} values`, `${data?.length}`)
  }
  return record(
    name,
    inputs,
    { shape: [...shape], data, backward },
    {
      saved: operation.saved ?? none,
      saveOutput: operation.saveOutput ?? false,
      buffers,
    },
  )
}

import { BioError } from '@bio/errors'
import { formatShape, sameShape } from '../shape.js'
import type { Tensor } from '../tensor.js'
import { refuseAsync, withGrad } from './grad-mode.js'

/** What happens to values between forward and backward. */
export interface SavedTensorHooks<Handle> {
  /** Called once for each value that the tape saves; what it returns is kept instead. */
  pack(tensor: Tensor): Handle
  /** Called when backward needs the value: f32, the shape that was packed. */
  unpack(handle: Handle): Tensor
  /** Called when backward is through with a handle. */
  done?(handle: Handle): void
}

let current: SavedTensorHooks<unknown> | undefined

/** The innermost hooks, if any. */
export function currentHooks(): SavedTensorHooks<unknown> | undefined {
  return current
}

/** Runs `fn` under hooks, or under none. */
export function withHooks<T>(hooks: SavedTensorHooks<unknown> | undefined, fn: () => T): T {
  const before = current
  current = hooks
  try {
    return fn()
  } finally {
    current = before
  }
}

/**
 * Runs `fn` and keeps, for backward, what `pack` returns instead of the values themselves: compressed, offloaded, or a note of how to
 * compute them again (as `checkpoint` does). The innermost hooks apply. Parameters are packed too: return the tensor itself to leave it
 * as it is (a leaf has `isLeaf`). The originals belong to the garbage collector. Errors: ERR_BIO_TAPE in backward, if `unpack` returns
 * another shape; ERR_BIO_ASYNC. After `torch.autograd.graph.saved_tensors_hooks`.
 *
 * @example
 * ```ts
 * import { savedTensorHooks, tensor } from '@bio/tensor'
 *
 * const x = tensor([1, 2], { requiresGrad: true })
 * const half = { pack: (saved) => saved.to('bf16'), unpack: (saved) => saved.to('f32') }
 * savedTensorHooks(half, () => x.mul(x).sum()).backward()
 * console.log(x.grad.toArray()) // => [ 2, 4 ]
 * ```
 */
export function savedTensorHooks<T, Handle>(hooks: SavedTensorHooks<Handle>, fn: () => T): T {
  return withHooks(hooks as SavedTensorHooks<unknown>, () => refuseAsync('savedTensorHooks', fn()))
}

/** Hooks run outside the tape: what they compute is not recorded and not packed again. */
export function pack(hooks: SavedTensorHooks<unknown>, tensor: Tensor): unknown {
  return withHooks(undefined, () => withGrad(false, () => hooks.pack(tensor.alias())))
}

export function unpack(hooks: SavedTensorHooks<unknown>, handle: unknown, shape: readonly number[]): Tensor {
  const tensor = withHooks(undefined, () => withGrad(false, () => hooks.unpack(handle)))
  if (tensor.dtype === 'f32' && sameShape(tensor.shape, shape)) return tensor
  throw new BioError('ERR_BIO_TAPE', {
    operation: 'savedTensorHooks',
    expected: `unpack to return f32 ${formatShape(shape)}, as packed`,
    received: `${tensor.dtype} ${formatShape(tensor.shape)}`,
  })
}

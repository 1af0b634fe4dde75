import type { Tensor } from '../tensor.js'

/** Sees, for a linear layer in the backward pass, dy [rows, out] and x [rows, in]; both are the tape's: read them, keep nothing. */
export type LinearObserver = (weight: Tensor, dy: Float32Array, x: Float32Array) => void

let observer: LinearObserver | undefined

/**
 * Runs `body`; every `linear` whose backward pass happens inside shows its output gradient and its input to `observe`. What a per-sample
 * gradient needs and a batch's gradient has lost: for row r it is dy[r] ⊗ x[r].
 */
export function observeLinear<T>(observe: LinearObserver, body: () => T): T {
  const outer = observer
  observer = observe
  try {
    return body()
  } finally {
    observer = outer
  }
}

export function showLinear(weight: Tensor, dy: Float32Array, x: Float32Array): void {
  observer?.(weight, dy, x)
}

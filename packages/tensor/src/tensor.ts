import { BioError } from '@bio/errors'
import { convert } from './convert.js'
import type { DType, TensorData } from './dtype.js'
import * as activation from './ops/activation.js'
import * as arithmetic from './ops/arithmetic.js'
import * as elementwise from './ops/elementwise.js'
import { matmul } from './ops/matmul.js'
import * as reduce from './ops/reduce.js'
import * as rearrange from './ops/rearrange.js'
import { logSoftmax, softmax } from './ops/softmax.js'
import { nest, type Nested } from './nested.js'
import { refuseShape, sizeOf, type Shape } from './shape.js'
import { Storage } from './storage.js'
import { backward } from './tape/backward.js'
import type { Node } from './tape/node.js'

/**
 * A dense, row-major array of numbers that remembers how it was computed.
 *
 * Operations compute in f32. While recording (see `noGrad`) an operation on a tensor with `requiresGrad` is noted, and `backward()` on the
 * result adds the gradients to `grad` of the leaves. What was recorded belongs to the tape: `backward()` returns its memory to a pool
 * as it passes, and later use throws ERR_BIO_RELEASED. What survives: leaves (parameters, data), the tensor that `backward` was called
 * on, tensors of one value (losses), and what `keep()` or `detach()` was called on.
 *
 * Names follow PyTorch. Broadcasting is limited: see `add`.
 */
export class Tensor {
  readonly shape: Shape
  readonly dtype: DType
  /** Number of values. */
  readonly size: number
  /** Sum of the gradients that reached this leaf since `zeroGrad`. */
  grad: Tensor | undefined = undefined
  /** @internal */
  readonly storage: Storage
  #node: Node | undefined = undefined
  #requiresGrad = false

  /** @internal Use `tensor`, `fromData`, `zeros`, … */
  constructor(storage: Storage, shape: Shape, dtype: DType) {
    this.storage = storage
    this.shape = shape
    this.dtype = dtype
    this.size = storage.data === undefined ? sizeOf(shape, 'Tensor') : storage.data.length
  }

  /** @internal The operation that made this tensor. */
  get node(): Node | undefined {
    return this.#node
  }

  /** @internal */
  attach(node: Node): void {
    this.#node = node
    this.#requiresGrad = true
  }

  /** Whether gradients flow to this tensor. May be set on f32 leaves: throws ERR_BIO_DTYPE for others. */
  get requiresGrad(): boolean {
    return this.#requiresGrad
  }

  set requiresGrad(value: boolean) {
    if (value && this.dtype !== 'f32') {
      throw new BioError('ERR_BIO_DTYPE', {
        operation: 'requiresGrad',
        expected: 'f32',
        received: this.dtype,
      })
    }
    if (value && this.#node === undefined) this.storage.keep()
    this.#requiresGrad = value
  }

  /** True if no recorded operation made it: data and parameters. */
  get isLeaf(): boolean {
    return this.#node === undefined
  }

  /** The values themselves, not a copy. Throws ERR_BIO_RELEASED after the tape or a scope gave the memory back. */
  get data(): TensorData {
    const { data } = this.storage
    if (data !== undefined) return data
    throw new BioError('ERR_BIO_RELEASED', {
      operation: 'Tensor.data',
      expected: 'a tensor that still has its memory',
      received: 'one whose memory went back to the pool (backward() or the end of a scope)',
      hint: 'Call keep() or detach() on it before.',
    })
  }

  /** The one value. Throws ERR_BIO_SHAPE unless there is exactly one. */
  item(): number {
    if (this.size !== 1) refuseShape('item', 'a tensor of one value', this.shape)
    return this.dtype === 'f32' ? this.data[0]! : convert(this.data, this.dtype, 'f32')[0]!
  }

  /** The values as nested arrays; a number for a scalar. bf16 and f16 come as the numbers that they stand for. */
  toArray(): Nested {
    return nest(
      this.dtype === 'bf16' || this.dtype === 'f16' ? convert(this.data, this.dtype, 'f32') : this.data,
      this.shape,
    )
  }

  /** The same memory outside the graph: no gradient flows through, and it survives `backward()`. */
  detach(): Tensor {
    this.storage.keep()
    return this.alias()
  }

  /** @internal The same memory outside the graph, still the tape's to release. */
  alias({ requiresGrad = false }: { requiresGrad?: boolean } = {}): Tensor {
    const alias = new Tensor(this.storage, this.shape, this.dtype)
    alias.#requiresGrad = requiresGrad
    return alias
  }

  /** A copy; differentiable if f32. */
  clone(): Tensor {
    return this.dtype === 'f32'
      ? rearrange.clone(this)
      : new Tensor(new Storage(this.data.slice(), { pooled: false }), this.shape, this.dtype)
  }

  /** A copy in another dtype, rounded to nearest even, integers clamped; outside the graph. Same dtype: see `detach`. */
  to(dtype: DType): Tensor {
    if (dtype === this.dtype) return this.detach()
    return new Tensor(
      new Storage(convert(this.data, this.dtype, dtype), { pooled: false }),
      this.shape,
      dtype,
    )
  }

  /** Makes this tensor survive `backward()` and the end of a `scope`. */
  keep(): this {
    this.storage.keep()
    return this
  }

  /**
   * Adds d this / d leaf to `grad` of each leaf with `requiresGrad`, times `gradient` (default 1, for a tensor of one value), and
   * returns the memory of all that was recorded to the pool. The graph is gone afterwards. If an operation fails midway, gradients of
   * some leaves may be in already: call `zeroGrad` before going on.
   *
   * Errors: ERR_BIO_SHAPE (several values and no gradient; wrong shape), ERR_BIO_TAPE (nothing recorded; graph used before; a saved
   * value changed since), ERR_BIO_RELEASED.
   */
  backward(gradient?: Tensor): void {
    backward(this, gradient)
  }

  /** this + b. Shapes are equal, or one is the other's last dimensions ([rows, n] + [n]), or b is a number or has one value. */
  add(b: Tensor | number): Tensor {
    return arithmetic.add(this, b)
  }
  /** this − b; shapes as in `add`. */
  sub(b: Tensor | number): Tensor {
    return arithmetic.sub(this, b)
  }
  /** this ⊙ b; shapes as in `add`. */
  mul(b: Tensor | number): Tensor {
    return arithmetic.mul(this, b)
  }
  /** this / b; shapes as in `add`. Division by 0 gives ±∞ or NaN. */
  div(b: Tensor | number): Tensor {
    return arithmetic.div(this, b)
  }
  neg(): Tensor {
    return arithmetic.mul(this, -1)
  }
  exp(): Tensor {
    return elementwise.exp(this)
  }
  /** Natural logarithm; NaN below 0. */
  log(): Tensor {
    return elementwise.log(this)
  }
  sqrt(): Tensor {
    return elementwise.sqrt(this)
  }
  /** [..., m, k] · b [k, n] (or [n, k] with `transposeB`) → [..., m, n]; or both with the same leading dimensions. */
  matmul(b: Tensor, options: { transposeB?: boolean } = {}): Tensor {
    return matmul(this, b, options)
  }
  /** The same values in another shape of the same size; −1 stands for what is left. Shares memory. */
  reshape(shape: Shape): Tensor {
    return rearrange.reshape(this, shape)
  }
  /** Swaps two dimensions (a copy). Negative ones count from the back. */
  transpose(dim0: number, dim1: number): Tensor {
    return rearrange.transpose(this, dim0, dim1)
  }
  /** `length` entries of a dimension from `start` (a copy). */
  narrow(dim: number, start: number, length: number): Tensor {
    return rearrange.narrow(this, { dim, start, length })
  }
  /** Sum of all values → [], or over one dimension, which goes away. Summed in f64. */
  sum(dim?: number): Tensor {
    return reduce.sum(this, dim)
  }
  /** Mean of all values → [], or over one dimension, which goes away. NaN over nothing. */
  mean(dim?: number): Tensor {
    return reduce.mean(this, dim)
  }
  relu(): Tensor {
    return activation.activate(this, 'relu')
  }
  /** x·Φ(x), exact. Hendrycks and Gimpel 2016. */
  gelu(): Tensor {
    return activation.activate(this, 'gelu')
  }
  /** The tanh approximation of `gelu`, as GPT-2 has it. */
  geluTanh(): Tensor {
    return activation.activate(this, 'gelu-tanh')
  }
  /** x·sigmoid(x). */
  silu(): Tensor {
    return activation.activate(this, 'silu')
  }
  sigmoid(): Tensor {
    return activation.activate(this, 'sigmoid')
  }
  tanh(): Tensor {
    return activation.activate(this, 'tanh')
  }
  /** exp(x) / Σ exp(x) over the last dimension. */
  softmax(): Tensor {
    return softmax(this)
  }
  /** x − log Σ exp(x) over the last dimension. */
  logSoftmax(): Tensor {
    return logSoftmax(this)
  }
}

/** The values of an f32 tensor. Throws ERR_BIO_DTYPE for another dtype, ERR_BIO_RELEASED. */
export function f32(tensor: Tensor, operation: string): Float32Array {
  if (tensor.dtype === 'f32') return tensor.data as Float32Array
  throw new BioError('ERR_BIO_DTYPE', {
    operation,
    expected: 'f32',
    received: tensor.dtype,
    hint: "Convert it with to('f32').",
  })
}

/** The values of an i32 tensor (ids, targets). Throws ERR_BIO_DTYPE for another dtype. */
export function i32(tensor: Tensor, operation: string): Int32Array {
  if (tensor.dtype === 'i32') return tensor.data as Int32Array
  throw new BioError('ERR_BIO_DTYPE', {
    operation,
    expected: 'i32 ids',
    received: tensor.dtype,
    hint: "Convert it with to('i32').",
  })
}

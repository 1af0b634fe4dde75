import { BioError } from '@bio/errors'
import { watchDraws, type Rng, type RngState } from '../rng.js'
import type { Storage } from '../storage.js'
import { Tensor } from '../tensor.js'
import { isGradEnabled, refuseAsync, withGrad } from './grad-mode.js'
import { currentHooks, pack, unpack, withHooks, type SavedTensorHooks } from './hooks.js'
import { collectMade, made } from './region.js'

type Forward = (...inputs: Tensor[]) => Tensor

/**
 * fn(...inputs), but for backward only the inputs are kept: `fn` runs again when its saved values are needed, and the memory of everything
 * it made is free in between (Chen et al. 2016). Gradients have the same bits as without, randomness included: draws from any `Rng`
 * are replayed. `fn` must be a function of its inputs and of parameters that don't change before backward; what it makes beside its result
 * is gone after it, unless kept with `keep()`.
 *
 * Errors: ERR_BIO_TAPE in backward, if the second run doesn't repeat the first; ERR_BIO_ASYNC. As PyTorch's non-reentrant checkpoint.
 *
 * @example
 * ```ts
 * import { checkpoint, Linear, ones, Rng } from '@bio/tensor'
 *
 * const layer = new Linear(2, 2, { rng: new Rng(0) })
 * checkpoint((x) => layer.forward(x).relu(), ones([1, 2])).sum().backward()
 * console.log(layer.weight.grad.shape) // => [ 2, 2 ]
 * ```
 */
export function checkpoint(fn: Forward, ...inputs: Tensor[]): Tensor {
  if (!isGradEnabled()) return fn(...inputs)
  const frame = new Frame(fn, inputs)
  const { result, storages } = frame.run(inputs)
  for (const storage of storages) if (storage !== result.storage) storage.release()
  if (storages.includes(result.storage)) {
    made(result.storage)
    if (result.node !== undefined) result.node.owned = [result.storage]
  }
  return result
}

/** The hooks of one call: they note the order in which values are saved, and compute them again in that order. */
class Frame implements SavedTensorHooks<number> {
  readonly #fn: Forward
  readonly #inputs: readonly HeldInput[]
  readonly #draws = new Map<Rng, RngState>()
  /** Version of each value when it was saved. */
  readonly #versions: number[] = []
  #again: { saved: readonly Tensor[]; storages: readonly Storage[] } | undefined
  #done = 0

  constructor(fn: Forward, inputs: readonly Tensor[]) {
    const outer = currentHooks()
    this.#fn = fn
    this.#inputs = inputs.map((input) => hold(input, outer))
  }

  run(inputs: Tensor[]): { result: Tensor; storages: Storage[] } {
    const note = (rng: Rng): void => {
      if (!this.#draws.has(rng)) this.#draws.set(rng, rng.state)
    }
    return watchDraws(note, () => withHooks(this, () => collectMade(() => checked(this.#fn(...inputs)))))
  }

  pack(tensor: Tensor): number {
    return this.#versions.push(tensor.storage.version) - 1
  }

  unpack(index: number): Tensor {
    this.#again ??= this.#replay()
    return this.#again.saved[index]!
  }

  done(): void {
    this.#done++
    if (this.#done < this.#versions.length) return
    for (const storage of this.#again?.storages ?? []) storage.release()
    this.#again = undefined
    for (const input of this.#inputs) input.done()
  }

  #replay(): { saved: Tensor[]; storages: Storage[] } {
    const now = Array.from(this.#draws.keys(), (rng) => [rng, rng.state] as const)
    const saved: Tensor[] = []
    try {
      for (const [rng, state] of this.#draws) rng.setState(state)
      const hooks = { pack: (tensor: Tensor) => saved.push(tensor), unpack: refuse }
      const inputs = this.#inputs.map((input) => input.get())
      const { storages } = withGrad(true, () =>
        withHooks(hooks, () => collectMade(() => checked(this.#fn(...inputs)))),
      )
      const same =
        saved.length === this.#versions.length &&
        saved.every(({ storage }, i) => storage.version === this.#versions[i])
      if (!same) refuse()
      const needed = new Set(saved.map(({ storage }) => storage))
      for (const storage of storages) if (!needed.has(storage)) storage.release()
      return { saved, storages: storages.filter((storage) => needed.has(storage)) }
    } finally {
      for (const [rng, state] of now) rng.setState(state)
    }
  }
}

interface HeldInput {
  get(): Tensor
  done(): void
}

/** Inside hooks (another checkpoint, say) an input is a saved value like any other. */
function hold(input: Tensor, outer: SavedTensorHooks<unknown> | undefined): HeldInput {
  const { shape, requiresGrad } = input
  if (outer === undefined || input.dtype !== 'f32') {
    const held = input.alias({ requiresGrad })
    return { get: () => held, done: () => {} }
  }
  const handle = pack(outer, input)
  return {
    get: () => unpack(outer, handle, shape).alias({ requiresGrad }),
    done: () => outer.done?.(handle),
  }
}

function checked(result: Tensor): Tensor {
  if (refuseAsync('checkpoint', result) instanceof Tensor) return result
  throw new BioError('ERR_BIO_TAPE', {
    operation: 'checkpoint',
    expected: 'fn to return a tensor',
    received: typeof result,
  })
}

function refuse(): never {
  throw new BioError('ERR_BIO_TAPE', {
    operation: 'checkpoint',
    expected: 'fn to save the same values when it runs again',
    received: 'others, or parameters that changed since',
    hint: 'fn must depend on its inputs alone; call backward() before step().',
  })
}

import type { Storage } from '../storage.js'
import { Tensor } from '../tensor.js'
import { refuseAsync } from './grad-mode.js'
import { Node } from './node.js'
import { collectMade, made } from './region.js'

/**
 * Runs `fn`, and returns to the pool the memory of every tensor that operations made in it, except what `fn` returns: a tensor, or an
 * array, Map, Set or object of tensors, with all that their backward needs. For loops without `backward()`, such as inference. Leaves
 * (`tensor`, `zeros`, …) and kept tensors stay. Errors: ERR_BIO_ASYNC if `fn` returns a promise.
 *
 * @example
 * ```ts
 * import { noGrad, ones, scope } from '@bio/tensor'
 *
 * const y = noGrad(() => scope(() => ones([2]).add(1).mul(3).exp().log()))
 * console.log(y.toArray()) // => [ 6, 6 ]
 * ```
 */
export function scope<T>(fn: () => T): T {
  const { result, storages } = collectMade(() => refuseAsync('scope', fn()))
  if (storages.length === 0) return result
  const needed = new Set<Storage>()
  collect(result, { needed, seen: new Set() })
  for (const storage of storages) {
    if (needed.has(storage)) made(storage) // the scope around this one decides
    else storage.release()
  }
  return result
}

/** All storages that a value leads to. Iterative: a graph may be deeper than the stack. */
function collect(root: unknown, { needed, seen }: { needed: Set<Storage>; seen: Set<unknown> }): void {
  const open: object[] = []
  const look = (value: unknown): void => {
    if (typeof value !== 'object' || value === null || seen.has(value) || ArrayBuffer.isView(value)) return
    seen.add(value)
    open.push(value)
  }
  look(root)
  for (let value = open.pop(); value !== undefined; value = open.pop()) {
    if (value instanceof Tensor) {
      needed.add(value.storage)
      look(value.node)
      look(value.grad)
    } else if (value instanceof Node) {
      for (const storage of value.owned) needed.add(storage)
      value.heldTensors().forEach(look)
      value.edges.forEach(look)
    } else if (value instanceof Map || value instanceof Set) {
      for (const entry of value.entries()) entry.forEach(look)
    } else Object.values(value).forEach(look)
  }
}

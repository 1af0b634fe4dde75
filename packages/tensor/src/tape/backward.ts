import { getKernels } from '@bio/kernels'
import { BioError } from '@bio/errors'
import { allocate, giveBack, isLent } from '../pool.js'
import { formatShape, refuseShape, sameShape } from '../shape.js'
import { Storage } from '../storage.js'
import { Tensor } from '../tensor.js'
import { withGrad } from './grad-mode.js'
import { Node } from './node.js'
import { WeightProduct } from './weight-product.js'

/** Offered the whole gradient of a leaf, as a product, when nothing in the graph will read the leaf's values again. True if it was used. */
export type Take = (leaf: Tensor, product: WeightProduct) => boolean

/** Reverse-mode differentiation from `root`: see `Tensor.backward`. What `take` uses does not become a leaf's `grad`. */
export function backward(root: Tensor, gradient: Tensor | undefined, take?: Take): void {
  const seed = seedFor(root, gradient)
  if (root.node === undefined) {
    if (!root.requiresGrad) {
      giveBack(seed)
      refuse('a tensor that was computed from one with requiresGrad, while recording', 'one that was not')
    }
    accumulate(root, seed)
    return
  }
  let order: Node[]
  try {
    order = reverseOrder(root.node)
  } catch (error) {
    giveBack(seed)
    throw error
  }
  const offer = take === undefined ? undefined : onlyOnce(order, take)
  root.storage.keep()
  root.node.gradient = seed
  try {
    withGrad(false, () => {
      for (const node of order) {
        step(node, offer)
        node.free()
      }
    })
  } finally {
    for (const node of order) if (node.backward !== undefined) node.free()
  }
}

function seedFor(root: Tensor, gradient: Tensor | undefined): Float32Array {
  if (gradient === undefined) {
    if (root.size === 1) return Float32Array.of(1)
    return refuseShape(
      'backward',
      'a scalar, or a gradient of the same shape',
      root.shape,
      'Call sum() or mean() first.',
    )
  }
  if (gradient.dtype !== 'f32' || !sameShape(gradient.shape, root.shape)) {
    const expected = `a gradient f32 ${formatShape(root.shape)}`
    return refuseShape('backward', expected, `${gradient.dtype} ${formatShape(gradient.shape)}`)
  }
  const seed = allocate(gradient.size)
  seed.set(gradient.data as Float32Array)
  return seed
}

let walk = 0

/** The nodes that `last` depends on, latest first: each comes after all that use its output. */
function reverseOrder(last: Node): Node[] {
  const mark = ++walk
  const found = [last]
  last.visited = mark
  for (let i = 0; i < found.length; i++) {
    const node = found[i]!
    if (node.backward === undefined) {
      refuse(
        'a graph that is still there',
        `${node.name}, which an earlier backward() consumed`,
        'Run the forward pass again, or detach() what you carry over.',
      )
    }
    for (const edge of node.edges) {
      if (edge instanceof Node && edge.visited !== mark) {
        edge.visited = mark
        found.push(edge)
      }
    }
  }
  return found.toSorted((a, b) => b.sequence - a.sequence)
}

/** `take` for leaves that the graph has in one place: one operation has them as its input, and saved their values once. */
function onlyOnce(order: readonly Node[], take: Take): Take {
  if (order.some((node) => node.hasHooks)) return () => false
  const places = new Map<Storage, number>()
  const count = ({ storage }: Tensor): unknown => places.set(storage, (places.get(storage) ?? 0) + 1)
  for (const node of order) {
    for (const edge of node.edges) if (edge instanceof Tensor) count(edge)
    node.heldTensors().forEach(count)
  }
  return (leaf, product) => places.get(leaf.storage) === 2 && take(leaf, product)
}

/** Sends the gradients of one operation to its inputs. */
function step(node: Node, take: Take | undefined): void {
  const dy = node.gradient
  if (dy === undefined) return // nothing depends on this output after all
  const { edges, needs, name } = node
  const saved = node.saved()
  const gradients = node.backward!(dy, saved, needs)
  if (gradients.length !== edges.length) {
    refuseShape(`${name} backward`, `${edges.length} gradients`, `${gradients.length}`)
  }
  for (let i = 0; i < edges.length; i++) {
    const edge = edges[i]
    let gradient = gradients[i]
    if (gradient instanceof WeightProduct) {
      if (edge instanceof Tensor && take?.(edge, gradient) === true) continue
      gradient = gradient.sum()
    }
    if (gradient === undefined) continue
    // Only memory that nobody else holds may be added to and recycled: not that of saved values, nor one that another input gets too.
    const own = gradients.indexOf(gradient, i + 1) < 0 && isLent(gradient) && !isSaved(gradient, saved)
    if (edge === undefined) {
      if (own && gradient !== dy) giveBack(gradient) // computed beside the others, and not needed
      continue
    }
    if (gradient.length !== edge.size) {
      refuseShape(`${name} backward`, `gradient ${i} of ${edge.size} values`, `${gradient.length}`)
    }
    if (own && gradient === dy) node.gradient = undefined // else free() recycles it
    send(edge, own ? gradient : copyOf(gradient))
  }
}

const isSaved = (data: Float32Array, saved: readonly Tensor[]): boolean =>
  saved.some((tensor) => tensor.storage.data?.buffer === data.buffer)

function copyOf(data: Float32Array): Float32Array {
  const copy = allocate(data.length)
  copy.set(data)
  return copy
}

/** Takes over `gradient`. */
function send(edge: Node | Tensor, gradient: Float32Array): void {
  if (edge instanceof Tensor) return accumulate(edge, gradient)
  if (edge.gradient === undefined) edge.gradient = gradient
  else {
    getKernels().add(edge.gradient, edge.gradient, gradient)
    giveBack(gradient)
  }
}

/** leaf.grad += gradient, which it takes over. */
function accumulate(leaf: Tensor, gradient: Float32Array): void {
  const { grad } = leaf
  if (grad === undefined) {
    leaf.grad = new Tensor(new Storage(gradient, { pooled: true }), leaf.shape, 'f32')
    return
  }
  if (!sameShape(grad.shape, leaf.shape))
    refuseShape('backward', `grad ${formatShape(leaf.shape)}`, grad.shape)
  const sum = grad.data as Float32Array
  getKernels().add(sum, sum, gradient)
  giveBack(gradient)
}

function refuse(expected: string, received: string, hint?: string): never {
  throw new BioError('ERR_BIO_TAPE', {
    operation: 'backward',
    expected,
    received,
    ...(hint === undefined ? {} : { hint }),
  })
}

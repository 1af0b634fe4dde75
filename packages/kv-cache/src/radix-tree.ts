/** A place in the tree: the tokens from the root to it are a key, of which `edge` is the part after its parent. */
interface Node<T> {
  edge: Int32Array
  item: T | undefined
  parent: Node<T> | undefined
  /** By the first token of their edge. */
  readonly children: Map<number, Node<T>>
}

/**
 * A map from token sequences to items that finds the longest key which a given sequence starts with, in time linear in the sequence.
 * Shared beginnings of keys are stored once (Morrison 1968, PATRICIA).
 */
export class RadixTree<T> {
  readonly #root: Node<T> = {
    edge: new Int32Array(),
    item: undefined,
    parent: undefined,
    children: new Map(),
  }
  #size = 0

  get size(): number {
    return this.#size
  }

  /** The item of the longest key that `tokens` starts with. */
  longest(tokens: Int32Array): T | undefined {
    let found = this.#root.item
    this.#walk(tokens, (node) => {
      if (node.item !== undefined) found = node.item
    })
    return found
  }

  /** The item of exactly this key. */
  get(tokens: Int32Array): T | undefined {
    const { node, length } = this.#walk(tokens)
    return length === tokens.length ? node.item : undefined
  }

  /** Sets or replaces the item of a key; the key is copied. */
  set(tokens: Int32Array, item: T): void {
    const { node, length } = this.#walk(tokens)
    const target = length === tokens.length ? node : this.#branch(node, tokens.slice(length))
    if (target.item === undefined) this.#size += 1
    target.item = item
  }

  /** Removes a key that is present, and the nodes that nothing needs any more. */
  delete(tokens: Int32Array): void {
    let { node } = this.#walk(tokens)
    node.item = undefined
    this.#size -= 1
    while (node.parent !== undefined && node.item === undefined && node.children.size === 0) {
      node.parent.children.delete(node.edge[0]!)
      node = node.parent
    }
    this.#joinWithOnlyChild(node)
  }

  /** All items, in no particular order. */
  *items(): Generator<T> {
    for (const { item } of this.#nodes()) if (item !== undefined) yield item
  }

  /** Places in the tree, the root included: it depends on the keys alone, and is at most 2·size + 1. */
  get nodes(): number {
    return [...this.#nodes()].length
  }

  *#nodes(): Generator<Node<T>> {
    const open = [this.#root]
    for (let node = open.pop(); node !== undefined; node = open.pop()) {
      yield node
      for (const child of node.children.values()) open.push(child)
    }
  }

  /** Follows whole edges from the root as far as `tokens` goes; `length` tokens are matched by then. */
  #walk(tokens: Int32Array, visit?: (node: Node<T>) => void): { node: Node<T>; length: number } {
    let node = this.#root
    let length = 0
    while (length < tokens.length) {
      const child = node.children.get(tokens[length]!)
      if (child === undefined || common(child.edge, tokens, length) < child.edge.length) break
      node = child
      length += child.edge.length
      visit?.(node)
    }
    return { node, length }
  }

  /** A new leaf for `rest` under `node`; the edge that shares a beginning with it is split there. */
  #branch(node: Node<T>, rest: Int32Array): Node<T> {
    const rival = node.children.get(rest[0]!)
    if (rival === undefined) return attach(node, rest)
    const shared = common(rival.edge, rest, 0)
    const middle = attach(node, rest.slice(0, shared))
    move(rival, middle, rival.edge.slice(shared))
    return shared === rest.length ? middle : attach(middle, rest.slice(shared))
  }

  #joinWithOnlyChild(node: Node<T>): void {
    if (node.parent === undefined || node.item !== undefined || node.children.size !== 1) return
    const [child] = node.children.values()
    const edge = new Int32Array(node.edge.length + child!.edge.length)
    edge.set(node.edge)
    edge.set(child!.edge, node.edge.length)
    move(child!, node.parent, edge)
  }
}

/** A new node without an item. */
function attach<T>(parent: Node<T>, edge: Int32Array): Node<T> {
  const node: Node<T> = { edge, item: undefined, parent, children: new Map() }
  parent.children.set(edge[0]!, node)
  return node
}

function move<T>(node: Node<T>, parent: Node<T>, edge: Int32Array): void {
  node.edge = edge
  node.parent = parent
  parent.children.set(edge[0]!, node)
}

/** How many tokens of `edge` agree with tokens[at …]. */
function common(edge: Int32Array, tokens: Int32Array, at: number): number {
  const limit = Math.min(edge.length, tokens.length - at)
  let length = 0
  while (length < limit && edge[length] === tokens[at + length]) length += 1
  return length
}

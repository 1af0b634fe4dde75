/** Buffers lent together. When the collector takes the last of them, none will come back, and they leave the books. */
class Lease {
  readonly lost = { buffers: 0, bytes: 0 }
}

const buffersPerLease = 64
const idle = new Map<number, Float32Array[]>() // capacity in values → buffers
const lent = new WeakMap<ArrayBufferLike, Lease>()
const books = { buffers: 0, bytes: 0, lentBuffers: 0, lentBytes: 0 }
const collected = new FinalizationRegistry<Lease['lost']>(({ buffers, bytes }) => {
  books.buffers -= buffers
  books.bytes -= bytes
  books.lentBuffers -= buffers
  books.lentBytes -= bytes
})

/** Leases without buffers, to use again: a registration stays until the event loop turns, which a training loop may never let it. */
const empty: Lease[] = []
let lease = openLease()

/** Eight sizes per doubling: at most 12.5 % is left unused, and ragged sizes (tokens per expert) meet again. */
function capacityFor(size: number): number {
  if (size <= 16) return 16
  const step = 2 ** Math.max(0, 28 - Math.clz32(size - 1))
  return Math.ceil(size / step) * step
}

function openLease(): Lease {
  const opened = new Lease()
  collected.register(opened, opened.lost)
  return opened
}

function borrow(buffer: ArrayBufferLike): void {
  if (lease.lost.buffers >= buffersPerLease) lease = empty.pop() ?? openLease()
  lease.lost.buffers++
  lease.lost.bytes += buffer.byteLength
  books.lentBuffers++
  books.lentBytes += buffer.byteLength
  lent.set(buffer, lease)
}

/** Takes a lent buffer off its lease; false for one that isn't the pool's or is back already. */
function unlend(buffer: ArrayBufferLike): boolean {
  const owner = lent.get(buffer)
  if (owner === undefined) return false
  lent.delete(buffer)
  owner.lost.buffers--
  owner.lost.bytes -= buffer.byteLength
  if (owner.lost.buffers === 0 && owner !== lease) empty.push(owner)
  books.lentBuffers--
  books.lentBytes -= buffer.byteLength
  return true
}

/**
 * An array of `size` values from the pool, NOT zeroed: what a custom operation writes its output and gradients to. Who hands it to
 * the tape (as a result of `forward` or `backward` of `apply`) must not touch it afterwards.
 */
export function allocate(size: number): Float32Array {
  // One value isn't worth a loan, and a loss stays readable after backward.
  if (size <= 1) return new Float32Array(size)
  const capacity = capacityFor(size)
  const found = idle.get(capacity)?.pop()
  if (found === undefined) {
    const buffer = new ArrayBuffer(capacity * 4)
    books.buffers++
    books.bytes += buffer.byteLength
    borrow(buffer)
    return new Float32Array(buffer, 0, size)
  }
  borrow(found.buffer)
  return found.length === size ? found : new Float32Array(found.buffer, 0, size)
}

/** True while `data` is on loan from the pool, which makes its holder the only one. */
export function isLent(data: Float32Array): boolean {
  return lent.has(data.buffer)
}

/** Puts a buffer back. Arrays that didn't come from the pool are left to the garbage collector. */
export function giveBack(data: Float32Array): void {
  if (!unlend(data.buffer)) return
  const capacity = data.buffer.byteLength / 4
  const list = idle.get(capacity)
  if (list === undefined) idle.set(capacity, [data])
  else list.push(data)
}

/** The buffer leaves the pool for good: from here on the garbage collector owns it. */
export function forget(data: Float32Array): void {
  if (!unlend(data.buffer)) return
  books.buffers--
  books.bytes -= data.buffer.byteLength
}

/**
 * What the pool holds: `bytes` and `buffers` in all, and how many of the buffers are in use. Buffers that the garbage collector took
 * (a forward pass without a backward) are struck off at the next turn of the event loop after the collection.
 */
export function poolStats(): { bytes: number; buffers: number; inUse: number } {
  return { bytes: books.bytes, buffers: books.buffers, inUse: books.lentBuffers }
}

/** Leaves all idle buffers to the garbage collector, as after training in a process that goes on to serve. */
export function emptyPool(): void {
  books.buffers = books.lentBuffers
  books.bytes = books.lentBytes
  idle.clear()
}

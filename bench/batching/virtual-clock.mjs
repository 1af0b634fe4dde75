/**
 * Time that passes only where something waits for it: timers and `performance.now` of this thread follow the events to come, one after the
 * other, however busy the machine is. What computes takes no time; a turn of the event loop takes `turnMs`, and timers keep the
 * whole milliseconds that Node's keep.
 */
export class VirtualClock {
  #now = 0
  #count = 0
  #events = []

  /** Runs `action` in virtual time, to the end of its promise. */
  async run(action) {
    const restore = this.#install()
    try {
      const result = action()
      const pending = new Set([result])
      const settle = () => pending.clear()
      result.then(settle, settle)
      const turn = () =>
        new Promise((resolve) => {
          restore.setImmediate(resolve)
        })
      for (await turn(); pending.size > 0; await turn()) this.#step()
      return await result
    } finally {
      Object.assign(globalThis, restore)
      delete performance.now
    }
  }

  after(milliseconds, callback) {
    const event = { at: this.#now + milliseconds, order: this.#count++, callback }
    event.ref = event.unref = () => event
    insert(this.#events, event)
    return event
  }

  #step() {
    if (this.#events.length === 0) throw new Error('everything waits, and for nothing')
    const { at, callback } = takeFirst(this.#events)
    this.#now = Math.max(this.#now, at)
    callback?.()
  }

  #install() {
    const { setTimeout, clearTimeout, setImmediate, clearImmediate } = globalThis
    const clear = (event) => {
      if (event !== undefined) event.callback = undefined
    }
    Object.assign(globalThis, {
      setTimeout: (callback, milliseconds = 1, ...values) => {
        const due = Math.floor(this.#now) + Math.max(1, Math.trunc(milliseconds)) + turnMs
        return this.after(due - this.#now, () => callback(...values))
      },
      clearTimeout: clear,
      setImmediate: (callback, ...values) => this.after(turnMs, () => callback(...values)),
      clearImmediate: clear,
    })
    performance.now = () => this.#now
    return { setTimeout, clearTimeout, setImmediate, clearImmediate }
  }
}

const turnMs = 0.03

const isBefore = (a, b) => a.at < b.at || (a.at === b.at && a.order < b.order)

/** Into a binary heap: every event before its two children. */
function insert(heap, event) {
  let index = heap.push(event) - 1
  while (index > 0) {
    const parent = (index - 1) >> 1
    if (!isBefore(event, heap[parent])) break
    heap[index] = heap[parent]
    index = parent
  }
  heap[index] = event
}

function takeFirst(heap) {
  const [first] = heap
  const last = heap.pop()
  if (heap.length === 0) return first
  let index = 0
  for (;;) {
    let child = 2 * index + 1
    if (child + 1 < heap.length && isBefore(heap[child + 1], heap[child])) child += 1
    if (child >= heap.length || !isBefore(heap[child], last)) break
    heap[index] = heap[child]
    index = child
  }
  heap[index] = last
  return first
}

/**
 * Says of each entry when its time is over: one timer, however many there are.
 *
 * The timer stays where it is when its entry leaves, even the last one, so that requests that are answered in time set no timer each; while
 * nobody is left it keeps no process alive.
 */
export class Deadlines<Entry extends { readonly deadlineAt: number }> {
  readonly #onExpired: (entry: Entry) => void
  readonly #entries: Set<Entry> = new Set()
  #timer: ReturnType<typeof setTimeout> | undefined
  /** When the timer is due: no later than the first deadline; Infinity without a timer. */
  #dueAt = Infinity

  constructor(onExpired: (entry: Entry) => void) {
    this.#onExpired = onExpired
  }

  add(entry: Entry): void {
    if (entry.deadlineAt === Infinity) return
    this.#entries.add(entry)
    if (entry.deadlineAt < this.#dueAt) this.#waitUntil(entry.deadlineAt)
    else if (this.#entries.size === 1) this.#timer?.ref()
  }

  delete(entry: Entry): void {
    if (this.#entries.delete(entry) && this.#entries.size === 0) this.#timer?.unref()
  }

  /** Calls back for whom the time is over; costs one comparison while there is none. */
  expire(): void {
    if (this.#dueAt === Infinity || performance.now() < this.#dueAt) return
    const now = performance.now()
    for (const entry of this.#entries)
      if (entry.deadlineAt <= now && this.#entries.delete(entry)) this.#onExpired(entry)
    let earliest = Infinity
    for (const { deadlineAt } of this.#entries) earliest = Math.min(earliest, deadlineAt)
    this.#waitUntil(earliest)
  }

  /** Lets the timer go; the next entry sets another. */
  close(): void {
    this.#waitUntil(Infinity)
  }

  #waitUntil(time: number): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#dueAt = time
    if (time === Infinity) return
    const onTime = (): void => {
      this.expire()
      if (this.#dueAt === time) this.#waitUntil(time) // a timer may be early by a fraction
    }
    this.#timer = setTimeout(onTime, Math.max(1, Math.ceil(time - performance.now())))
  }
}

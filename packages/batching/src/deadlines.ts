/**
 * Says of each entry when its time is over: one timer, however many there are.
 *
 * The timer stays where it is when its entry leaves, even the last one, so that requests that are answered in time set no timer each; while
 * nobody is left it keeps no process alive.
 */
export class Deadlines<Entry extends { readonly deadlineAt: number }> {
  readonly #entries: () => Iterable<Entry>
  readonly #onExpired: (entry: Entry) => void
  /** Entries that have a deadline. */
  #count = 0
  #timer: ReturnType<typeof setTimeout> | undefined
  /** When the timer is due: no later than the first deadline; Infinity without a timer. */
  #dueAt = Infinity

  /** `entries` gives those that were added and have not left; the one that it gave last may leave meanwhile. */
  constructor(entries: () => Iterable<Entry>, onExpired: (entry: Entry) => void) {
    this.#entries = entries
    this.#onExpired = onExpired
  }

  added({ deadlineAt }: Entry): void {
    if (deadlineAt === Infinity) return
    this.#count += 1
    if (deadlineAt < this.#dueAt) this.#waitUntil(deadlineAt)
    else if (this.#count === 1) this.#timer?.ref()
  }

  /** To be told once of each. */
  left({ deadlineAt }: Entry): void {
    if (deadlineAt === Infinity) return
    this.#count -= 1
    if (this.#count === 0) this.#timer?.unref()
  }

  /** Calls back for whom the time is over; costs one comparison while there is none. */
  expire(): void {
    if (this.#dueAt === Infinity || performance.now() < this.#dueAt) return
    const now = performance.now()
    let earliest = Infinity
    for (const entry of this.#entries())
      if (entry.deadlineAt <= now) this.#onExpired(entry)
      else earliest = Math.min(earliest, entry.deadlineAt)
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

/** Says of each entry when its time is over: one timer, for the earliest, however many there are. */
export class Deadlines<Entry extends { readonly deadlineAt: number }> {
  readonly #onExpired: (entry: Entry) => void
  readonly #entries: Set<Entry> = new Set()
  #earliest = Infinity
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(onExpired: (entry: Entry) => void) {
    this.#onExpired = onExpired
  }

  add(entry: Entry): void {
    if (entry.deadlineAt === Infinity) return
    this.#entries.add(entry)
    if (entry.deadlineAt < this.#earliest) this.#waitUntil(entry.deadlineAt)
  }

  /** The timer stays with an entry that was the earliest: it then finds out who is by now. */
  delete(entry: Entry): void {
    if (this.#entries.delete(entry) && this.#entries.size === 0) this.#waitUntil(Infinity)
  }

  /** Calls back for whom the time is over; costs one comparison while there is none. */
  expire(): void {
    if (this.#earliest === Infinity || performance.now() < this.#earliest) return
    const now = performance.now()
    for (const entry of this.#entries)
      if (entry.deadlineAt <= now && this.#entries.delete(entry)) this.#onExpired(entry)
    let earliest = Infinity
    for (const { deadlineAt } of this.#entries) earliest = Math.min(earliest, deadlineAt)
    this.#waitUntil(earliest)
  }

  #waitUntil(time: number): void {
    clearTimeout(this.#timer)
    this.#earliest = time
    if (time === Infinity) return
    const onTime = (): void => {
      this.expire()
      if (this.#earliest === time) this.#waitUntil(time) // a timer may be early by a fraction
    }
    this.#timer = setTimeout(onTime, Math.max(1, Math.ceil(time - performance.now())))
  }
}

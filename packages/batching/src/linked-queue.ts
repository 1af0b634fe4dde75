/** What can stand in a `LinkedQueue`: in one at a time. */
export interface Linked<Entry> {
  previous: Entry | undefined
  next: Entry | undefined
}

/** First in, first out, and out of the middle just as quickly. The links are the entries' own: nothing is allocated. */
export class LinkedQueue<Entry extends Linked<Entry>> {
  #first: Entry | undefined
  #last: Entry | undefined

  get first(): Entry | undefined {
    return this.#first
  }

  add(entry: Entry): void {
    entry.previous = this.#last
    if (this.#last === undefined) this.#first = entry
    else this.#last.next = entry
    this.#last = entry
  }

  /** Takes out an entry that stands in this queue. */
  remove(entry: Entry): void {
    const { previous, next } = entry
    if (previous === undefined) this.#first = next
    else previous.next = next
    if (next === undefined) this.#last = previous
    else next.previous = previous
    entry.previous = entry.next = undefined
  }

  /** The one that it gives may be removed meanwhile. */
  *[Symbol.iterator](): Iterator<Entry> {
    for (let entry = this.#first, next; entry !== undefined; entry = next) {
      next = entry.next
      yield entry
    }
  }
}

/** Cuts a stream of text at the first of some strings, holding back what may be the beginning of one. */
export class StopStrings {
  readonly #stops: readonly string[]
  #held = ''
  /** True once a stop string was seen; nothing comes after it. */
  found = false

  constructor(stops: readonly string[]) {
    this.#stops = stops
  }

  /** The part of the text so far that may be shown. */
  push(text: string): string {
    if (this.found) return ''
    const pending = this.#held + text
    const cut = Math.min(...this.#stops.map((stop) => pending.indexOf(stop)).filter((at) => at >= 0))
    if (cut !== Infinity) {
      this.found = true
      this.#held = ''
      return pending.slice(0, cut)
    }
    const held = Math.max(0, ...this.#stops.map((stop) => overlap(pending, stop)))
    this.#held = pending.slice(pending.length - held)
    return pending.slice(0, pending.length - held)
  }

  /** What was held back, when the text ends without a stop string. */
  end(): string {
    const rest = this.#held
    this.#held = ''
    return rest
  }
}

/** Length of the longest end of `text` that begins `stop`. */
function overlap(text: string, stop: string): number {
  for (let length = Math.min(text.length, stop.length - 1); length > 0; length--) {
    if (text.endsWith(stop.slice(0, length))) return length
  }
  return 0
}

/** Where progress is written: a terminal redraws one line, anything else gets a line now and then. */
export interface Screen {
  readonly isTTY?: boolean
  readonly columns?: number
  write(text: string): unknown
}

const width = 24

/**
 * A progress bar with a note beside it: `training  ███████░░░  42 %  1.93 bits per byte`. Redrawn at most ten times a second on a
 * terminal; elsewhere a line at every quarter.
 */
export class Progress {
  readonly #label: string
  readonly #total: number
  readonly #screen: Screen
  #drawn = -Infinity
  #quarter = 0

  constructor(label: string, { total, screen = process.stderr }: { total: number; screen?: Screen }) {
    this.#label = label
    this.#total = total
    this.#screen = screen
  }

  update(done: number, note = ''): void {
    const share = Math.min(1, done / this.#total)
    if (this.#screen.isTTY === true) {
      if (performance.now() - this.#drawn < 100) return
      this.#drawn = performance.now()
      this.#screen.write(`\r\u001B[K${this.#line(share, note)}`)
    } else if (share >= (this.#quarter + 1) / 4 && share < 1) {
      this.#quarter = Math.floor(share * 4)
      this.#screen.write(`${this.#line(share, note)}\n`)
    }
  }

  /** The last line stays. */
  end(note = ''): void {
    const clear = this.#screen.isTTY === true ? '\r\u001B[K' : ''
    this.#screen.write(`${clear}${this.#line(1, note)}\n`)
  }

  #line(share: number, note: string): string {
    const filled = Math.round(share * width)
    const bar = '█'.repeat(filled) + '░'.repeat(width - filled)
    const percent = String(Math.round(share * 100)).padStart(3)
    return `  ${this.#label.padEnd(16)} ${bar} ${percent} %  ${note}`.slice(
      0,
      (this.#screen.columns ?? 120) - 1,
    )
  }
}

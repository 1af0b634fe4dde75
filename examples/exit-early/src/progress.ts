/** One line per step, redrawn on a terminal; elsewhere written once, when the step is done. */
export class Progress {
  #drawn = -Infinity

  update(step: string, share: number, note = ''): void {
    const { stderr } = process
    const [done, now] = [share >= 1, performance.now()]
    if (!done && (stderr.isTTY !== true || now - this.#drawn < 100)) return
    this.#drawn = now
    const filled = Math.round(24 * Math.min(1, share))
    const line = `${step.padEnd(16)} ${'█'.repeat(filled)}${'░'.repeat(24 - filled)} ${Math.round(100 * share)} %  ${note}`
    stderr.write(`${stderr.isTTY === true ? '\r\u001B[K' : ''}${line}${done ? '\n' : ''}`)
  }
}

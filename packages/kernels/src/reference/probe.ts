/** What plain JavaScript reads per second: the limit of this backend, not of the machine. */
export function probeReadBandwidth({ bytes = 2 ** 28 }: { bytes?: number; threads?: number } = {}): number {
  const values = new Float64Array(Math.max(8, Math.floor(bytes / 8))).fill(1)
  return best(() => {
    let total = 0
    for (let i = 0; i < values.length; i++) total += values[i]!
    return total === values.length ? values.byteLength : 0
  })
}

/** Multiply-adds per second, times two, of plain JavaScript in f64; it has no others. */
export function probePeak(kind: 'f32' | 'bf16' | 'int8'): number {
  if (kind !== 'f32') return 0
  const rounds = 5_000_000
  return best(() => {
    let [a, b, c, d] = [1, 1, 1, 1]
    for (let i = 0; i < rounds; i++) {
      a = a * 0.999 + 0.001
      b = b * 0.999 + 0.001
      c = c * 0.999 + 0.001
      d = d * 0.999 + 0.001
    }
    return a + b + c + d > 0 ? rounds * 8 : 0
  })
}

/** The best rate of three runs of work that returns how much it did. */
function best(work: () => number): number {
  let rate = 0
  for (let run = 0; run < 3; run++) {
    const start = performance.now()
    const done = work()
    rate = Math.max(rate, (done * 1000) / Math.max(0.001, performance.now() - start))
  }
  return rate
}

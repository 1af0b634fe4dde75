import type { RotaryOptions } from '../interface.js'

/** (a, b) → (a·cos − b·sin, b·cos + a·sin) for the pairs (i, i + headDim/2), angle = position·θ^(−2i/headDim). */
export function rotary(
  out: Float32Array,
  x: Float32Array,
  positions: Int32Array,
  options: RotaryOptions,
): void {
  const { heads, headDim, theta, inverse = false } = options
  const half = headDim / 2
  for (let t = 0; t < positions.length; t++) {
    for (let i = 0; i < half; i++) {
      const angle = positions[t]! * theta ** (-i / half)
      const cos = Math.cos(angle)
      const sin = inverse ? -Math.sin(angle) : Math.sin(angle)
      for (let head = 0; head < heads; head++) {
        const at = (t * heads + head) * headDim + i
        const [a, b] = [x[at]!, x[at + half]!]
        out[at] = a * cos - b * sin
        out[at + half] = b * cos + a * sin
      }
    }
  }
}

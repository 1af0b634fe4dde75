import type { AttentionOptions } from '../interface.js'

/** Where head h of token t of sequence b starts in an array [batch, length, heads, headDim]. */
const at = (b: number, t: number, h: number, length: number, heads: number, headDim: number): number =>
  ((b * length + t) * heads + h) * headDim

function dot(a: Float32Array, aAt: number, b: Float32Array, bAt: number, length: number): number {
  let sum = 0
  for (let i = 0; i < length; i++) sum += a[aAt + i]! * b[bAt + i]!
  return sum
}

/** out_t = Σ_s softmax_s(⟨q_t, k_s⟩·scale)·v_s, over s ≤ t if causal. */
export function attention(
  out: Float32Array,
  logSumExp: Float32Array,
  q: Float32Array,
  k: Float32Array,
  v: Float32Array,
  options: AttentionOptions,
): void {
  const { batch, length, heads, kvHeads, headDim, causal, scale = 1 / Math.sqrt(headDim) } = options
  const scores = new Float64Array(length)
  const mixed = new Float64Array(headDim)
  for (let b = 0; b < batch; b++) {
    for (let h = 0; h < heads; h++) {
      const kvHead = Math.floor((h * kvHeads) / heads)
      for (let t = 0; t < length; t++) {
        const query = at(b, t, h, length, heads, headDim)
        const keys = causal ? t + 1 : length
        let high = -Infinity
        for (let s = 0; s < keys; s++) {
          scores[s] = dot(q, query, k, at(b, s, kvHead, length, kvHeads, headDim), headDim) * scale
          high = Math.max(high, scores[s]!)
        }
        let sum = 0
        mixed.fill(0)
        for (let s = 0; s < keys; s++) {
          const weight = Math.exp(scores[s]! - high)
          sum += weight
          const value = at(b, s, kvHead, length, kvHeads, headDim)
          for (let i = 0; i < headDim; i++) mixed[i]! += weight * v[value + i]!
        }
        for (let i = 0; i < headDim; i++) out[query + i] = mixed[i]! / sum
        logSumExp[(b * heads + h) * length + t] = high + Math.log(sum)
      }
    }
  }
}

/** With p = exp(score − logsumexp) and D_t = ⟨dOut_t, out_t⟩: ds = p·(⟨dOut_t, v_s⟩ − D_t); Dao et al. 2022, appendix B. */
export function attentionBackward(
  dq: Float32Array,
  dk: Float32Array,
  dv: Float32Array,
  dOut: Float32Array,
  q: Float32Array,
  k: Float32Array,
  v: Float32Array,
  out: Float32Array,
  logSumExp: Float32Array,
  options: AttentionOptions,
): void {
  const { batch, length, heads, kvHeads, headDim, causal, scale = 1 / Math.sqrt(headDim) } = options
  dq.fill(0)
  dk.fill(0)
  dv.fill(0)
  for (let b = 0; b < batch; b++) {
    for (let h = 0; h < heads; h++) {
      const kvHead = Math.floor((h * kvHeads) / heads)
      for (let t = 0; t < length; t++) {
        const query = at(b, t, h, length, heads, headDim)
        const along = dot(dOut, query, out, query, headDim)
        const total = logSumExp[(b * heads + h) * length + t]!
        for (let s = 0; s < (causal ? t + 1 : length); s++) {
          const key = at(b, s, kvHead, length, kvHeads, headDim)
          const weight = Math.exp(dot(q, query, k, key, headDim) * scale - total)
          const slope = weight * (dot(dOut, query, v, key, headDim) - along) * scale
          for (let i = 0; i < headDim; i++) {
            dq[query + i]! += slope * k[key + i]!
            dk[key + i]! += slope * q[query + i]!
            dv[key + i]! += weight * dOut[query + i]!
          }
        }
      }
    }
  }
}

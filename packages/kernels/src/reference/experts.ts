import type { ExpertShape } from '../interface.js'
import { swiglu, swigluBackward } from './activation.js'
import { groupedMatmul, groupedWeightGradient } from './matmul.js'

/** The layers of every expert, one after the other. */
export function swigluExperts(
  out: Float32Array,
  gateUp: Float32Array,
  inner: Float32Array,
  x: Float32Array,
  gateUpWeights: Float32Array,
  downWeights: Float32Array,
  { offsets, dim, hidden }: ExpertShape,
): void {
  const rows = offsets.at(-1)!
  groupedMatmul(gateUp, x, gateUpWeights, { offsets, n: 2 * hidden, k: dim, layout: 'nk' })
  swiglu(inner, gateUp, { rows, hidden })
  groupedMatmul(out, inner, downWeights, { offsets, n: dim, k: hidden, layout: 'nk' })
}

/** Their gradients, in the other direction. */
export function swigluExpertsBackward(
  dx: Float32Array | undefined,
  dGateUpWeights: Float32Array | undefined,
  dDownWeights: Float32Array | undefined,
  dGateUp: Float32Array,
  dy: Float32Array,
  x: Float32Array,
  gateUp: Float32Array,
  inner: Float32Array,
  gateUpWeights: Float32Array,
  downWeights: Float32Array,
  { offsets, dim, hidden }: ExpertShape,
): void {
  const rows = offsets.at(-1)!
  const dInner = new Float32Array(rows * hidden)
  groupedMatmul(dInner, dy, downWeights, { offsets, n: hidden, k: dim, layout: 'kn' })
  swigluBackward(dGateUp, dInner, gateUp, { rows, hidden })
  if (dx !== undefined) {
    groupedMatmul(dx, dGateUp, gateUpWeights, { offsets, n: dim, k: 2 * hidden, layout: 'kn' })
  }
  if (dGateUpWeights !== undefined) {
    groupedWeightGradient(dGateUpWeights, dGateUp, x, { offsets, n: 2 * hidden, k: dim })
  }
  if (dDownWeights !== undefined) {
    groupedWeightGradient(dDownWeights, dy, inner, { offsets, n: dim, k: hidden })
  }
}

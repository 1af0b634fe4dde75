import type { Activation } from '../interface.js'

const { exp, sqrt, PI, tanh } = Math
const sigmoid = (x: number): number => 1 / (1 + exp(-x))
/** Φ(x), the normal distribution. */
const normal = (x: number): number => 0.5 * (1 + erf(x / Math.SQRT2))
/** The tanh form's argument, √(2/π)·(x + 0.044715·x³). */
const geluArgument = (x: number): number => sqrt(2 / PI) * (x + 0.044715 * x ** 3)

interface Function {
  readonly value: (x: number) => number
  readonly slope: (x: number) => number
}

/** Each activation and its derivative. gelu: Hendrycks and Gimpel 2016; silu: Elfwing et al. 2017. */
export const activations: Readonly<Record<Activation, Function>> = {
  relu: { value: (x) => (x < 0 ? 0 : x), slope: (x) => (x > 0 ? 1 : 0) },
  sigmoid: { value: sigmoid, slope: (x) => sigmoid(x) * (1 - sigmoid(x)) },
  tanh: { value: tanh, slope: (x) => 1 - tanh(x) ** 2 },
  silu: { value: (x) => x * sigmoid(x), slope: (x) => sigmoid(x) * (1 + x * (1 - sigmoid(x))) },
  gelu: { value: (x) => x * normal(x), slope: (x) => normal(x) + (x * exp(-0.5 * x * x)) / sqrt(2 * PI) },
  'gelu-tanh': {
    value: (x) => 0.5 * x * (1 + tanh(geluArgument(x))),
    slope(x) {
      const t = tanh(geluArgument(x))
      return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * sqrt(2 / PI) * (1 + 3 * 0.044715 * x * x)
    },
  },
}

export function activate(out: Float32Array, x: Float32Array, kind: Activation): void {
  const { value } = activations[kind]
  for (let i = 0; i < x.length; i++) out[i] = value(x[i]!)
}

export function activateBackward(
  dx: Float32Array,
  dy: Float32Array,
  x: Float32Array,
  kind: Activation,
): void {
  const { slope } = activations[kind]
  for (let i = 0; i < x.length; i++) dx[i] = dy[i]! * slope(x[i]!)
}

/** out = silu(gate)⊙up. */
export function swiglu(
  out: Float32Array,
  gateUp: Float32Array,
  { rows, hidden }: { rows: number; hidden: number },
): void {
  for (let r = 0; r < rows; r++) {
    for (let j = 0; j < hidden; j++) {
      const gate = gateUp[2 * r * hidden + j]!
      out[r * hidden + j] = gate * sigmoid(gate) * gateUp[(2 * r + 1) * hidden + j]!
    }
  }
}

/** dGate = dy⊙up⊙silu′(gate), dUp = dy⊙silu(gate). */
export function swigluBackward(
  dGateUp: Float32Array,
  dy: Float32Array,
  gateUp: Float32Array,
  { rows, hidden }: { rows: number; hidden: number },
): void {
  const { value, slope } = activations.silu
  for (let r = 0; r < rows; r++) {
    for (let j = 0; j < hidden; j++) {
      const [gate, up] = [2 * r * hidden + j, (2 * r + 1) * hidden + j]
      const gradient = dy[r * hidden + j]!
      dGateUp[gate] = gradient * gateUp[up]! * slope(gateUp[gate]!)
      dGateUp[up] = gradient * value(gateUp[gate]!)
    }
  }
}

/** erf by its series near 0 and its continued fraction away from it; to 1e-15 or so. */
function erf(x: number): number {
  const size = Math.abs(x)
  if (size > 6) return Math.sign(x)
  if (size < 2.5) {
    let term = x
    let total = x
    for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(total); n++) {
      term *= (-x * x) / n
      total += term / (2 * n + 1)
    }
    return (2 / sqrt(PI)) * total
  }
  let fraction = 0
  for (let n = 60; n > 0; n--) fraction = n / 2 / (size + fraction)
  return Number.isNaN(x) ? NaN : Math.sign(x) * (1 - exp(-x * x) / (sqrt(PI) * (size + fraction)))
}

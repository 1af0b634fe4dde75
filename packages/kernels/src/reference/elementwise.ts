export function add(out: Float32Array, a: Float32Array, b: Float32Array): void {
  for (let i = 0; i < out.length; i++) out[i] = a[i]! + b[i]!
}

export function multiply(out: Float32Array, a: Float32Array, b: Float32Array): void {
  for (let i = 0; i < out.length; i++) out[i] = a[i]! * b[i]!
}

export function scale(out: Float32Array, a: Float32Array, factor: number): void {
  for (let i = 0; i < out.length; i++) out[i] = a[i]! * factor
}

export function addScaled(out: Float32Array, a: Float32Array, factor: number): void {
  for (let i = 0; i < out.length; i++) out[i]! += factor * a[i]!
}

export function sum(x: Float32Array): number {
  let total = 0
  for (let i = 0; i < x.length; i++) total += x[i]!
  return total
}

export function sumOfSquares(x: Float32Array): number {
  let total = 0
  for (let i = 0; i < x.length; i++) total += x[i]! * x[i]!
  return total
}

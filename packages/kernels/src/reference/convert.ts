const bits = new Uint32Array(1)
const value = new Float32Array(bits.buffer)

/** The nearest bf16, ties to even; NaN stays a NaN. */
export function bf16FromF32(x: number): number {
  value[0] = x
  const word = bits[0]!
  if (Number.isNaN(x)) return (word >>> 16) | 0x40
  return ((word + 0x7fff + ((word >>> 16) & 1)) >>> 16) & 0xffff
}

export function f32FromBf16(half: number): number {
  bits[0] = half << 16
  return value[0]!
}

export function toBf16(out: Uint16Array, x: Float32Array): void {
  for (let i = 0; i < x.length; i++) out[i] = bf16FromF32(x[i]!)
}

export function fromBf16(out: Float32Array, x: Uint16Array): void {
  for (let i = 0; i < x.length; i++) out[i] = f32FromBf16(x[i]!)
}

import { getKernels } from '@bio/kernels'
import { arrayType, type DType, type TensorData } from './dtype.js'

/** Values in another dtype, through f32: nearest even; integers truncate towards 0 and clamp, NaN becomes 0. */
export function convert(data: TensorData, from: DType, to: DType): TensorData {
  if (from === to) return data.slice()
  arrayType(to, 'to') // refuses what is no dtype
  const integers = from === 'i32' || from === 'u8' || from === 'i8'
  if (integers && (to === 'i32' || to === 'u8' || to === 'i8')) return clamp(data, to)
  return narrow(widen(data, from), to)
}

function widen(data: TensorData, from: DType): Float32Array {
  if (from === 'f32') return data as Float32Array
  const out = new Float32Array(data.length)
  if (from === 'bf16') getKernels().fromBf16(out, data as Uint16Array)
  else if (from === 'f16') for (let i = 0; i < data.length; i++) out[i] = fromHalf(data[i]!)
  else out.set(data)
  return out
}

function narrow(data: Float32Array, to: DType): TensorData {
  if (to === 'f32') return data
  if (to === 'bf16') {
    const out = new Uint16Array(data.length)
    getKernels().toBf16(out, data)
    return out
  }
  if (to === 'f16') return Uint16Array.from(data, toHalf)
  return clamp(data, to)
}

const ranges = { i32: [-(2 ** 31), 2 ** 31 - 1], u8: [0, 255], i8: [-128, 127] } as const

function clamp(data: TensorData, to: 'i32' | 'u8' | 'i8'): TensorData {
  const [low, high] = ranges[to]
  const out = new (arrayType(to, 'to'))(data.length)
  for (let i = 0; i < data.length; i++) out[i] = Math.min(high, Math.max(low, Math.trunc(data[i]!)))
  return out
}

/** IEEE 754 binary16 bits → number. */
export function fromHalf(bits: number): number {
  const exponent = (bits >> 10) & 31
  const fraction = bits & 1023
  const sign = bits & 0x8000 ? -1 : 1
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25))
}

/** Number → IEEE 754 binary16 bits, to nearest even; above 65,519.99… → ∞. */
export function toHalf(value: number): number {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0
  const size = Math.abs(value)
  if (Number.isNaN(size)) return 0x7e00
  if (size >= 65_520) return sign | 0x7c00
  const exponent = size < 2 ** -14 ? -14 : Math.floor(Math.log2(size))
  // Log2 may land one too high just below a power of two.
  const power = size < 2 ** exponent && exponent > -14 ? exponent - 1 : exponent
  const steps = roundHalfEven(size * 2 ** (10 - power)) // in units of 2^(power − 10); exact in f64
  return sign | (steps + (power + 14) * 1024)
}

function roundHalfEven(value: number): number {
  const floor = Math.floor(value)
  const rest = value - floor
  if (rest === 0.5) return floor + (floor % 2)
  return rest > 0.5 ? floor + 1 : floor
}

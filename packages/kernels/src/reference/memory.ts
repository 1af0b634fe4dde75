import type { Backend } from '../backend.js'
import { refuse, type KernelArray } from '../checks.js'

/** Which arguments a kernel writes, and which may be the first of these itself (`inPlace`). */
interface Access {
  readonly writes: readonly number[]
  readonly inPlace?: readonly number[]
}

const [first, two, three, four] = [[0], [0, 1], [0, 1, 2], [0, 1, 2, 3]]

/** Kernels that are not here write nothing. In Rust the types of arguments say the same: `crates/bio-node/src/call/arguments.rs`. */
const accesses: Partial<Record<keyof Backend, Access>> = {
  matmul: { writes: first },
  groupedMatmul: { writes: first },
  groupedWeightGradient: { writes: first },
  swigluExperts: { writes: three },
  swigluExpertsBackward: { writes: four },
  squareAccumulate: { writes: first },
  unpack: { writes: first },
  matmulPacked: { writes: first },
  groupedMatmulPacked: { writes: first },
  sparseMatmul: { writes: first },
  dequantizeBlocks: { writes: first },
  gatherRows: { writes: first },
  scatterAddRows: { writes: first },
  scatterAddRowsBackward: { writes: two },
  sumRows: { writes: first },
  rmsNorm: { writes: two },
  rmsNormBackward: { writes: two },
  layerNorm: { writes: three },
  layerNormBackward: { writes: three },
  softmax: { writes: first, inPlace: [1] },
  softmaxBackward: { writes: first, inPlace: [1] },
  crossEntropy: { writes: two },
  crossEntropyBackward: { writes: first, inPlace: [2] },
  activate: { writes: first, inPlace: [1] },
  activateBackward: { writes: first, inPlace: [1] },
  swiglu: { writes: first },
  swigluBackward: { writes: first },
  add: { writes: first, inPlace: [1, 2] },
  multiply: { writes: first, inPlace: [1, 2] },
  scale: { writes: first, inPlace: [1] },
  addScaled: { writes: first, inPlace: [1] },
  toBf16: { writes: first },
  fromBf16: { writes: first },
  rotary: { writes: first, inPlace: [1] },
  attention: { writes: two },
  attentionBackward: { writes: three },
  pagedWrite: { writes: first },
  pagedAttention: { writes: first },
  adamW: { writes: [0, 2, 3] },
  adamWByProduct: { writes: [0, 3, 4] },
  sgd: { writes: [0, 2] },
  sgdByProduct: { writes: [0, 3] },
  quantizeInt8: { writes: two },
  dequantizeInt8: { writes: first },
  quantizeInt4: { writes: two },
  dequantizeInt4: { writes: first },
}

type Kernel = (...args: unknown[]) => unknown

/** A backend whose kernels first see that arrays are this thread's own, and that what they write overlaps no other argument. */
export function withMemoryChecks(backend: Backend): Backend {
  const checked = Object.entries(backend).map(([name, kernel]) => {
    if (typeof kernel !== 'function') return [name, kernel]
    const access = accesses[name as keyof Backend] ?? { writes: [] }
    const run: Kernel = (...args) => {
      checkMemory(name, args, access)
      return (kernel as Kernel)(...args)
    }
    return [name, run]
  })
  return Object.fromEntries(checked) as Backend
}

function checkMemory(operation: string, args: readonly unknown[], { writes, inPlace = [] }: Access): void {
  const last = args.at(-1)
  const options = typeof last === 'object' && last !== null && !isArray(last) ? Object.values(last) : []
  const arrays = [...args, ...options]
  for (const array of arrays) {
    if (isArray(array) && !(array.buffer instanceof ArrayBuffer)) {
      refuse(
        'ERR_BIO_BUFFER',
        operation,
        'arrays over an ArrayBuffer',
        'a SharedArrayBuffer',
        'Copy it first: another thread may write to it.',
      )
    }
  }
  for (const index of writes) {
    const out = arrays[index]
    arrays.forEach((other, at) => {
      if (at === index || !isArray(out) || !isArray(other) || !overlap(out, other)) return
      if (index === 0 && inPlace.includes(at) && same(out, other)) return
      refuse(
        'ERR_BIO_OVERLAP',
        operation,
        'an output with memory of its own',
        'one that overlaps another argument',
      )
    })
  }
}

const isArray = (value: unknown): value is KernelArray => ArrayBuffer.isView(value)

function same(a: KernelArray, b: KernelArray): boolean {
  return a.byteOffset === b.byteOffset && a.byteLength === b.byteLength
}

function overlap(a: KernelArray, b: KernelArray): boolean {
  return (
    a.buffer === b.buffer &&
    a.byteOffset < b.byteOffset + b.byteLength &&
    b.byteOffset < a.byteOffset + a.byteLength &&
    a.length > 0
  )
}

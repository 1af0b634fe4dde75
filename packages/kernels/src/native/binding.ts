import type { NvmlDevice } from '../counters/open-nvml.js'
import type { Activation, BlockType, Isa, KvPages, PackedDtype, SparseFormat } from '../interface.js'

/** Weights on the Rust side, as an external value: opaque here, and of use to the binding alone. */
export interface NativePacked {
  readonly kind?: 'packed'
}
export interface NativeSparse {
  readonly kind?: 'sparse'
}

/** Counters read by a thread of their own: see `crates/bio-node/src/energy/sampler.rs`. */
export interface NativeSampler {
  take(out: Float64Array): number
  now(): number
  lost(): number
  failure(index: number): { readonly system?: number; readonly text?: string } | null
  close(): void
}

/** NVIDIA's management library, loaded. */
export interface NativeNvml {
  devices(): NvmlDevice[]
  totalEnergy(index: number): number
  power(index: number): number
  sample(indices: readonly number[], hertz: number): NativeSampler
}

type F32 = Float32Array
type I32 = Int32Array

/**
 * What `crates/bio-node` exports: positional arguments, checked before they come here but for the memory of arrays. An input of an
 * operation that works in place may be the output itself.
 */
export interface Binding {
  version(): number
  isa(): Isa
  threads(): number
  setThreads(threads: number): void
  matmul(out: F32, a: F32, b: F32, m: number, n: number, k: number, transposeA: boolean, transposeB: boolean, accumulate: boolean, skipZeros: boolean): void
  groupedMatmul(out: F32, x: F32, weights: F32, offsets: I32, n: number, k: number, transposeWeights: boolean): void
  groupedWeightGradient(out: F32, dy: F32, x: F32, offsets: I32, n: number, k: number): void
  swigluExperts(out: F32, gateUp: F32, inner: F32, x: F32, gateUpWeights: F32, downWeights: F32, offsets: I32, dim: number, hidden: number): void
  swigluExpertsBackward(dx: F32 | undefined, dGateUpWeights: F32 | undefined, dDownWeights: F32 | undefined, dGateUp: F32, dy: F32, x: F32, gateUp: F32, inner: F32, gateUpWeights: F32, downWeights: F32, offsets: I32, dim: number, hidden: number): void
  squareAccumulate(out: F32, dy: F32, x: F32, rows: number, n: number, k: number): void
  pack(weights: F32, dtype: PackedDtype, experts: number, rows: number, columns: number, groupSize: number): NativePacked
  unpack(out: F32, packed: NativePacked): void
  matmulPacked(out: F32, x: F32, packed: NativePacked, m: number, bias?: F32): void
  groupedMatmulPacked(out: F32, x: F32, packed: NativePacked, offsets: I32, index: I32 | undefined): void
  packZeros(dtype: PackedDtype, experts: number, rows: number, columns: number, groupSize: number): NativePacked
  setBlocks(packed: NativePacked, rows: I32, blocks: Uint8Array, type: BlockType): void
  dequantizeBlocks(out: F32, blocks: Uint8Array, type: BlockType): void
  packSparse(weights: F32, format: SparseFormat, rows: number, columns: number): NativeSparse
  sparseMatmul(out: F32, x: F32, sparse: NativeSparse, m: number, bias: F32 | undefined): void
  /** How many bytes the weights take; they are freed by disposing, or when JavaScript forgets them. */
  packedBytes(packed: NativePacked): number
  disposePacked(packed: NativePacked): void
  sparseBytes(sparse: NativeSparse): number
  disposeSparse(sparse: NativeSparse): void
  gatherRows(out: F32, source: F32, index: I32, columns: number): void
  scatterAddRows(out: F32, x: F32, index: I32, columns: number, scales: F32 | undefined): void
  scatterAddRowsBackward(dx: F32, dScales: F32, dy: F32, x: F32, index: I32, columns: number, scales: F32): void
  sumRows(out: F32, x: F32, rows: number, columns: number): void
  rmsNorm(out: F32, inverse: F32, x: F32, weight: F32, rows: number, columns: number, epsilon: number): void
  rmsNormBackward(dx: F32, dWeight: F32, dy: F32, x: F32, weight: F32, inverse: F32, rows: number, columns: number): void
  layerNorm(out: F32, mean: F32, inverse: F32, x: F32, weight: F32, bias: F32, rows: number, columns: number, epsilon: number): void
  layerNormBackward(dx: F32, dWeight: F32, dBias: F32, dy: F32, x: F32, weight: F32, mean: F32, inverse: F32, rows: number, columns: number): void
  softmax(out: F32, x: F32, rows: number, columns: number): void
  softmaxBackward(dx: F32, dy: F32, y: F32, rows: number, columns: number): void
  crossEntropy(loss: F32, logSumExp: F32, logits: F32, targets: I32, rows: number, columns: number, ignoreIndex: number): void
  crossEntropyBackward(dLogits: F32, dLoss: F32, logits: F32, logSumExp: F32, targets: I32, rows: number, columns: number, ignoreIndex: number): void
  activate(out: F32, x: F32, kind: Activation): void
  activateBackward(dx: F32, dy: F32, x: F32, kind: Activation): void
  swiglu(out: F32, gateUp: F32, rows: number, hidden: number): void
  swigluBackward(dGateUp: F32, dy: F32, gateUp: F32, rows: number, hidden: number): void
  add(out: F32, a: F32, b: F32): void
  multiply(out: F32, a: F32, b: F32): void
  scale(out: F32, a: F32, factor: number): void
  addScaled(out: F32, a: F32, factor: number): void
  sum(x: F32): number
  sumOfSquares(x: F32): number
  toBf16(out: Uint16Array, x: F32): void
  fromBf16(out: F32, x: Uint16Array): void
  rotary(out: F32, x: F32, positions: I32, heads: number, headDim: number, theta: number, inverse: boolean): void
  attention(out: F32, logSumExp: F32, q: F32, k: F32, v: F32, batch: number, length: number, heads: number, kvHeads: number, headDim: number, causal: boolean, scale: number): void
  attentionBackward(dq: F32, dk: F32, dv: F32, dOut: F32, q: F32, k: F32, v: F32, out: F32, logSumExp: F32, batch: number, length: number, heads: number, kvHeads: number, headDim: number, causal: boolean, scale: number): void
  pagedWrite(pages: KvPages, rows: F32, slots: I32, kvHeads: number, headDim: number, blockTokens: number, keys: boolean): void
  pagedAttention(out: F32, q: F32, keyPages: KvPages, valuePages: KvPages, sequences: I32, positions: I32, blockTables: I32, maxBlocks: number, heads: number, kvHeads: number, headDim: number, blockTokens: number, scale: number): void
  adamW(parameter: F32, gradient: F32, firstMoment: F32, secondMoment: F32, learningRate: number, beta1: number, beta2: number, epsilon: number, weightDecay: number, step: number): void
  adamWByProduct(parameter: F32, dy: F32, x: F32, firstMoment: F32, secondMoment: F32, rows: number, n: number, k: number, learningRate: number, beta1: number, beta2: number, epsilon: number, weightDecay: number, step: number): void
  sgd(parameter: F32, gradient: F32, velocity: F32 | undefined, learningRate: number, momentum: number, weightDecay: number, nesterov: boolean): void
  sgdByProduct(parameter: F32, dy: F32, x: F32, velocity: F32 | undefined, rows: number, n: number, k: number, learningRate: number, momentum: number, weightDecay: number, nesterov: boolean): void
  quantizeInt8(values: Int8Array, scales: F32, x: F32, rows: number, columns: number): void
  dequantizeInt8(out: F32, values: Int8Array, scales: F32, rows: number, columns: number): void
  quantizeInt4(nibbles: Uint8Array, scales: F32, x: F32, rows: number, columns: number, groupSize: number): void
  dequantizeInt4(out: F32, nibbles: Uint8Array, scales: F32, rows: number, columns: number, groupSize: number): void
  probeReadBandwidth(bytes: number, threads: number): number
  probePeak(kind: string, threads: number): number
  /** Limits this thread to a tier, or with '' lifts the limit; false where the machine lacks it. */
  limitIsaForTest(name: string): boolean
  sampleFiles(paths: readonly string[], hertz: number): NativeSampler
  openNvml(path: string | undefined): NativeNvml
  /** Does nothing with as many arguments as `matmulPacked`: what the bench holds a call against. */
  bareCallForTest(...five: readonly unknown[]): void
  /** Reads the arguments of `matmulPacked`, no more. */
  readArgumentsForTest(out: F32, x: F32, packed: NativePacked, m: number, bias?: F32): void
  /** Panics on purpose: what the tests of error handling call. */
  panicForTest(): void
}

/** What the kernels of `interface.ts` are told beside their arrays. */

export type Activation = 'relu' | 'gelu' | 'gelu-tanh' | 'silu' | 'sigmoid' | 'tanh'
export type PackedDtype = 'f32' | 'bf16' | 'int8' | 'int4'
/** How a tensor of a GGUF file holds its values, by ggml's names. */
export type BlockType = 'f32' | 'f16' | 'bf16' | 'q4_0' | 'q8_0' | 'q4_K' | 'q6_K'

export interface RowShape {
  readonly rows: number
  readonly columns: number
}
export interface NormOptions extends RowShape {
  readonly epsilon: number
}
export interface CrossEntropyOptions extends RowShape {
  readonly ignoreIndex?: number
}
export interface MatmulOptions {
  readonly m: number
  readonly n: number
  readonly k: number
  readonly transposeA?: boolean
  readonly transposeB?: boolean
  /** Add to `out` instead of overwriting it. */
  readonly accumulate?: boolean
  /**
   * a may have many zeros, as after a relu: where there are enough of them to pay, by a sample, what finite values of b they are multiplied
   * with is left out. The bits stay the same, but that a sum which underflowed to −0 may keep its sign.
   */
  readonly skipZeros?: boolean
}
export interface GroupedShape {
  /** [experts + 1], starting at 0, never decreasing, ending at the number of rows. */
  readonly offsets: Int32Array
  readonly n: number
  readonly k: number
}
export interface GroupedMatmulOptions extends GroupedShape {
  readonly layout: 'nk' | 'kn'
}
export interface ExpertShape {
  /** As of `GroupedShape`. */
  readonly offsets: Int32Array
  readonly dim: number
  readonly hidden: number
}
export interface PackOptions {
  readonly dtype: PackedDtype
  readonly rows: number
  readonly columns: number
  readonly experts?: number
  /** int4 only: 32 (default) or 128 columns share a scale. */
  readonly groupSize?: 32 | 128
}
export type SparseFormat = 'dense' | 'csr' | '4x1' | '16x1'
export interface SparsePackOptions {
  readonly rows: number
  readonly columns: number
  /** Default 'auto'. */
  readonly format?: SparseFormat | 'auto'
  /** 'auto' only: the rows of x that a product will have. */
  readonly batch?: number
}
export interface RotaryOptions {
  readonly heads: number
  readonly headDim: number
  readonly theta: number
  readonly inverse?: boolean
}
export interface AttentionOptions {
  readonly batch: number
  readonly length: number
  readonly heads: number
  readonly kvHeads: number
  readonly headDim: number
  readonly causal: boolean
  /** Default 1/√headDim. */
  readonly scale?: number
}
export interface PageShape {
  readonly kvHeads: number
  readonly headDim: number
  readonly blockTokens: number
}
export interface PagedWriteOptions extends PageShape {
  /** Keys and values lie differently: see `KvPages`. */
  readonly content: 'keys' | 'values'
}
/**
 * Keys or values in blocks; the array's type is their number format: f32, bf16, or int8. A head of a block of values is [blockTokens, headDim],
 * in int8 [blockTokens / 4, headDim, 4], so that a word of four bytes holds a dimension of four tokens. One of keys is turned, so that a
 * register holds the same dimensions of neighbouring tokens: [headDim / w, blockTokens, w], a word of four bytes at a time, w = 1 in f32, 2 in
 * bf16, 4 in int8, whose keys are stored 128 higher, as unsigned bytes. Where 4 doesn't divide blockTokens, or w headDim, the last words are as
 * much narrower. In int8 both have their tokens' scales [blockTokens] behind, f32 of four bytes each, little-endian: headDim + 4 bytes per token
 * and head. Blocks of 16 tokens, or a multiple, are the fast ones.
 */
export type KvPages = Float32Array | Uint16Array | Int8Array
export interface PagedAttentionOptions extends PageShape {
  readonly heads: number
  /** [tokens] row of `blockTables` that each query token belongs to. */
  readonly sequences: Int32Array
  /** [tokens] position of each query token in its sequence. */
  readonly positions: Int32Array
  /** [sequences, maxBlocks] block numbers; entries past a sequence's last block are not read. */
  readonly blockTables: Int32Array
  readonly maxBlocks: number
  /** Default 1/√headDim. */
  readonly scale?: number
}
/** dyᵀ·x of a linear layer: dy [rows, n], x [rows, k]. */
export interface ProductShape {
  readonly rows: number
  readonly n: number
  readonly k: number
}
export interface AdamWOptions {
  readonly learningRate: number
  readonly beta1: number
  readonly beta2: number
  readonly epsilon: number
  readonly weightDecay: number
  readonly step: number
}
export interface SgdOptions {
  readonly learningRate: number
  readonly momentum: number
  readonly weightDecay: number
  readonly nesterov?: boolean
}

import type {
  Activation,
  AdamWOptions,
  AttentionOptions,
  BlockType,
  CrossEntropyOptions,
  ExpertShape,
  GroupedMatmulOptions,
  GroupedShape,
  KvPages,
  MatmulOptions,
  NormOptions,
  PackOptions,
  PackedDtype,
  PagedAttentionOptions,
  PagedWriteOptions,
  ProductShape,
  RotaryOptions,
  RowShape,
  SgdOptions,
  SparseFormat,
  SparsePackOptions,
} from './options.js'

export type * from './options.js'

/**
 * The kernel interface: one contract, two implementations (`native`, over the Rust crate, and `typescript`, its readable twin).
 *
 * Conventions
 * - The caller supplies every output; nothing is allocated per call. Outputs come first.
 * - Arrays are row-major and dense. `Float32Array` unless said otherwise; bf16 values travel as `Uint16Array`.
 * - Weights follow PyTorch's `Linear`: [rows = output features, columns = input features], y = x·Wᵀ.
 * - Every output element is summed in an order that depends on the summed length alone: a row has the same bits whatever the
 *   batch around it, the thread count or the page that held its data.
 * - Bad input throws a `BioError` before anything is written: ERR_BIO_SHAPE (lengths, negative or fractional sizes),
 *   ERR_BIO_OVERLAP (an output shares memory with another argument where that is not allowed), ERR_BIO_BUFFER (detached or
 *   SharedArrayBuffer-backed), ERR_BIO_INDEX (an id, target, slot or block out of range), ERR_BIO_VALUE (NaN or infinite
 *   scales or values to quantize, epsilon ≤ 0, …), ERR_BIO_DISPOSED (a packed matrix after `dispose`).
 */
export interface Kernels {
  readonly backend: 'native' | 'typescript'
  /** The instruction set in use; `scalar` for the TypeScript backend. `BIO_ISA` forces a lower one at load. */
  readonly isa: Isa
  /** Threads that a kernel may use. Native only; always 1 in TypeScript. */
  readonly threads: number
  /** Sets `threads`, from 1 to the number of cores. */
  setThreads(threads: number): void

  // ── matrix products ────────────────────────────────────────────────────────────────────────────────────────────────────

  /** out [m, n] (+)= op(a) [m, k] · op(b) [k, n], where op transposes if asked: a is then stored [k, m], b [n, k]. */
  matmul(out: Float32Array, a: Float32Array, b: Float32Array, options: MatmulOptions): void
  /**
   * One product per expert over rows sorted by expert: out[r] [n] = op(weights[e])·x[r] for r in [offsets[e], offsets[e+1]).
   * `layout` 'nk' stores weights [experts, n, k] (forward, y = x·Wᵀ), 'kn' stores [experts, k, n] (input gradient).
   */
  groupedMatmul(
    out: Float32Array,
    x: Float32Array,
    weights: Float32Array,
    options: GroupedMatmulOptions,
  ): void
  /** out[e] [n, k] = Σ over the rows r of expert e of dy[r] [n] ⊗ x[r] [k]: the weight gradient of `groupedMatmul`. */
  groupedWeightGradient(out: Float32Array, dy: Float32Array, x: Float32Array, options: GroupedShape): void
  /**
   * A mixture's SwiGLU experts over rows sorted by expert: out[r] [dim] = down[e]·inner[r], inner[r] = silu(gate) ⊙ up, [gate; up] = gateUp[r] =
   * gateUpWeights[e]·x[r]. Weights [experts, 2·hidden, dim] (the gate first) and downWeights [experts, dim, hidden]. `gateUp` [rows, 2·hidden] and
   * `inner` [rows, hidden] are kept for the backward pass. The bits are those of `groupedMatmul` and `swiglu`.
   */
  swigluExperts(
    out: Float32Array,
    gateUp: Float32Array,
    inner: Float32Array,
    x: Float32Array,
    gateUpWeights: Float32Array,
    downWeights: Float32Array,
    options: ExpertShape,
  ): void
  /**
   * Gradients of `swigluExperts`, of which the first three are left out where they are undefined; dGateUp [rows, 2·hidden], which they come from,
   * is always written. Those of the weights are 0 for experts without rows.
   */
  swigluExpertsBackward(
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
    options: ExpertShape,
  ): void
  /** out [n, k] += Σ_r dy[r]² ⊗ x[r]²: the squared per-sample gradients of a Linear layer (its exact Fisher diagonal). */
  squareAccumulate(out: Float32Array, dy: Float32Array, x: Float32Array, options: ProductShape): void

  /** Packs weights [experts, rows, columns] once into the layout that `matmulPacked` reads. */
  pack(weights: Float32Array, options: PackOptions): PackedMatrix
  /** Packed weights that are all 0, for `setBlocks` to fill. */
  packZeros(options: PackOptions): PackedMatrix
  /**
   * Row rows[i] of the experts·rows rows of `packed` becomes row i of `blocks` [rows.length, columns], as a GGUF file holds them: a tensor
   * is packed a few rows at a time, reordered on the way. q4_0 into int4 by groups of 32 is exact; all else is held as `pack` would hold
   * the values.
   */
  setBlocks(packed: PackedMatrix, rows: Int32Array, blocks: Uint8Array, type: BlockType): void
  /** out = the values of whole blocks of a GGUF file, bit-equal to ggml. */
  dequantizeBlocks(out: Float32Array, blocks: Uint8Array, type: BlockType): void
  /** out [experts, rows, columns] = the weights as the packed form holds them (dequantized). */
  unpack(out: Float32Array, packed: PackedMatrix): void
  /** out [m, rows] = x [m, columns] · packedᵀ (+ bias [rows]). int8 and int4 quantize each row of x to int8 on the way. */
  matmulPacked(
    out: Float32Array,
    x: Float32Array,
    packed: PackedMatrix,
    options: { m: number; bias?: Float32Array },
  ): void
  /**
   * `groupedMatmul` over packed experts: rows sorted by expert, offsets [experts + 1]. They are the rows of x, or with `index` row r is
   * x[index[r]]: as after `gatherRows`, without the copy, and each row of x is quantized once.
   */
  groupedMatmulPacked(
    out: Float32Array,
    x: Float32Array,
    packed: PackedMatrix,
    options: { offsets: Int32Array; index?: Int32Array },
  ): void

  /**
   * Packs weights [rows, columns] of which many are 0 once into the form that `sparseMatmul` reads: rows compressed one by one ('csr'), or
   * blocks of 4 or 16 rows that share a column in which at least one of them is not 0 ('4x1', '16x1': made by pruning whole blocks).
   * 'auto' counts blocks, bytes and instructions and takes the fastest for `batch` rows of x, 'dense' where no other is; without `batch`,
   * the one whose worst case from one row to many is best.
   */
  packSparse(weights: Float32Array, options: SparsePackOptions): SparseMatrix
  /**
   * out [m, rows] = x [m, columns] · sparseᵀ (+ bias [rows]). Every format sums the same weights in the same order: the bits are those of
   * `matmulPacked` in f32, but that a weight of 0 which is not stored meets no NaN or infinity of x (and the sign of a 0 may differ).
   */
  sparseMatmul(
    out: Float32Array,
    x: Float32Array,
    sparse: SparseMatrix,
    options: { m: number; bias?: Float32Array },
  ): void

  // ── rows: gather, scatter, norms, softmax, loss ────────────────────────────────────────────────────────────────────────

  /** out[r] = source[index[r]]: embedding lookup and expert gather. source [*, columns], out [index.length, columns]. */
  gatherRows(out: Float32Array, source: Float32Array, index: Int32Array, options: { columns: number }): void
  /** out[index[r]] += scales[r]·x[r], in the order of r: embedding gradient and expert combine. `scales` default to 1. */
  scatterAddRows(
    out: Float32Array,
    x: Float32Array,
    index: Int32Array,
    options: { columns: number; scales?: Float32Array },
  ): void
  /** Gradients of `scatterAddRows` with scales: dx[r] = scales[r]·dy[index[r]], dScales[r] = ⟨dy[index[r]], x[r]⟩. */
  scatterAddRowsBackward(
    dx: Float32Array,
    dScales: Float32Array,
    dy: Float32Array,
    x: Float32Array,
    index: Int32Array,
    options: { columns: number; scales: Float32Array },
  ): void
  /** out = x / √(mean(x²) + ε) · weight per row; `inverse` [rows] keeps 1/√(…). Zhang and Sennrich 2019. */
  rmsNorm(
    out: Float32Array,
    inverse: Float32Array,
    x: Float32Array,
    weight: Float32Array,
    options: NormOptions,
  ): void
  /** dx = gradient for x; dWeight [columns] is added to. */
  rmsNormBackward(
    dx: Float32Array,
    dWeight: Float32Array,
    dy: Float32Array,
    x: Float32Array,
    weight: Float32Array,
    inverse: Float32Array,
    options: RowShape,
  ): void
  /** out = (x − mean) / √(variance + ε) · weight + bias per row; `mean` and `inverse` [rows] are kept. Ba et al. 2016. */
  layerNorm(
    out: Float32Array,
    mean: Float32Array,
    inverse: Float32Array,
    x: Float32Array,
    weight: Float32Array,
    bias: Float32Array,
    options: NormOptions,
  ): void
  /** dx = gradient for x; dWeight and dBias [columns] are added to. */
  layerNormBackward(
    dx: Float32Array,
    dWeight: Float32Array,
    dBias: Float32Array,
    dy: Float32Array,
    x: Float32Array,
    weight: Float32Array,
    mean: Float32Array,
    inverse: Float32Array,
    options: RowShape,
  ): void
  /** out = exp(x − max) / Σ per row. In place allowed. */
  softmax(out: Float32Array, x: Float32Array, options: RowShape): void
  /** dx = y ⊙ (dy − ⟨dy, y⟩) per row. In place over dy allowed. */
  softmaxBackward(dx: Float32Array, dy: Float32Array, y: Float32Array, options: RowShape): void
  /** loss[r] = logsumexp(logits[r]) − logits[r, target[r]]; 0 where target = `ignoreIndex` (default −100). `logSumExp` [rows] is kept. */
  crossEntropy(
    loss: Float32Array,
    logSumExp: Float32Array,
    logits: Float32Array,
    targets: Int32Array,
    options: CrossEntropyOptions,
  ): void
  /** dLogits[r] = dLoss[r]·(softmax(logits[r]) − onehot(target[r])); 0 for ignored rows. In place over logits allowed. */
  crossEntropyBackward(
    dLogits: Float32Array,
    dLoss: Float32Array,
    logits: Float32Array,
    logSumExp: Float32Array,
    targets: Int32Array,
    options: CrossEntropyOptions,
  ): void

  // ── elementwise ────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** out = f(x). In place allowed. */
  activate(out: Float32Array, x: Float32Array, kind: Activation): void
  /** dx = dy·f′(x). In place over dy allowed. */
  activateBackward(dx: Float32Array, dy: Float32Array, x: Float32Array, kind: Activation): void
  /** out [rows, hidden] = silu(gate) ⊙ up, for gateUp [rows, 2·hidden] with the gate first. Shazeer 2020. */
  swiglu(out: Float32Array, gateUp: Float32Array, options: { rows: number; hidden: number }): void
  /** dGateUp [rows, 2·hidden] from dy [rows, hidden]. */
  swigluBackward(
    dGateUp: Float32Array,
    dy: Float32Array,
    gateUp: Float32Array,
    options: { rows: number; hidden: number },
  ): void
  /** out = a + b. In place allowed. */
  add(out: Float32Array, a: Float32Array, b: Float32Array): void
  /** out = a ⊙ b. In place allowed. */
  multiply(out: Float32Array, a: Float32Array, b: Float32Array): void
  /** out = factor·a. In place allowed. */
  scale(out: Float32Array, a: Float32Array, factor: number): void
  /** out += factor·a. */
  addScaled(out: Float32Array, a: Float32Array, factor: number): void
  /** out [columns] += Σ over rows of x [rows, columns]: bias gradients. */
  sumRows(out: Float32Array, x: Float32Array, options: RowShape): void
  /** Σ x, in f64. */
  sum(x: Float32Array): number
  /** Σ x², in f64: gradient norms. NaN and infinities show in the result. */
  sumOfSquares(x: Float32Array): number
  /** bf16 by round to nearest even; NaN stays NaN. */
  toBf16(out: Uint16Array, x: Float32Array): void
  fromBf16(out: Float32Array, x: Uint16Array): void

  // ── attention ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Rotates each head of x [tokens, heads, headDim] by its position: pairs (i, i + headDim/2), angle position·θ^(−2i/headDim), as in
   * Hugging Face's `rotate_half`. `inverse` rotates back (the gradient). In place allowed. Su et al. 2021.
   */
  rotary(out: Float32Array, x: Float32Array, positions: Int32Array, options: RotaryOptions): void
  /**
   * out = softmax(q·kᵀ·scale)·v for training: q, out [batch, length, heads, headDim], k, v [batch, length, kvHeads, headDim];
   * query head h reads key head ⌊h·kvHeads/heads⌋. `logSumExp` [batch, heads, length] is kept for the backward pass.
   */
  attention(
    out: Float32Array,
    logSumExp: Float32Array,
    q: Float32Array,
    k: Float32Array,
    v: Float32Array,
    options: AttentionOptions,
  ): void
  /** dq, dk, dv are overwritten. */
  attentionBackward(
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
  ): void
  /**
   * Stores rows [tokens, kvHeads, headDim] of keys or of values in pages [blocks, kvHeads, …]; slot = block·blockTokens + offset. bf16 and int8
   * round half to even; a row with NaN or infinity gets scale NaN in int8, so that the loss shows.
   */
  pagedWrite(pages: KvPages, rows: Float32Array, slots: Int32Array, options: PagedWriteOptions): void
  /**
   * Causal attention of a ragged batch over paged keys and values: token t of sequence s = sequences[t] at position p = positions[t]
   * attends to positions 0…p of s, position j lying in block blockTables[s·maxBlocks + ⌊j/blockTokens⌋]. q, out [tokens, heads, headDim].
   * Keys and values are of one format. Spans of 256 positions have a maximum of their own and are merged in order: Dao et al. 2022, with spans of
   * fixed length, so that a long context keeps every thread busy and has the same bits on one. Over int8 a query, and a span's weights times
   * the scales of their values, are rounded to 16 bits: then sums are of integers, exact and in no order.
   */
  pagedAttention(
    out: Float32Array,
    q: Float32Array,
    keyPages: KvPages,
    valuePages: KvPages,
    options: PagedAttentionOptions,
  ): void

  // ── optimiser steps ────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Adam with decoupled weight decay in one pass, PyTorch's order of operations. `step` counts from 1. Loshchilov and Hutter 2019. */
  adamW(
    parameter: Float32Array,
    gradient: Float32Array,
    firstMoment: Float32Array,
    secondMoment: Float32Array,
    options: AdamWOptions,
  ): void
  /**
   * `adamW` of a linear layer's weight [n, k] by its gradient dyᵀ·x (dy [rows, n], x [rows, k]), which is summed where it is used and never
   * stored as a whole. The bits are those of `matmul` (transposeA, skipZeros) and `adamW`.
   */
  adamWByProduct(
    parameter: Float32Array,
    dy: Float32Array,
    x: Float32Array,
    firstMoment: Float32Array,
    secondMoment: Float32Array,
    options: AdamWOptions & ProductShape,
  ): void
  /** SGD with momentum as PyTorch defines it (v = μ·v + g; p −= lr·v, or lr·(g + μ·v) with nesterov); velocity only if momentum > 0. */
  sgd(
    parameter: Float32Array,
    gradient: Float32Array,
    velocity: Float32Array | undefined,
    options: SgdOptions,
  ): void

  /** `sgd` as `adamWByProduct` does its step. */
  sgdByProduct(
    parameter: Float32Array,
    dy: Float32Array,
    x: Float32Array,
    velocity: Float32Array | undefined,
    options: SgdOptions & ProductShape,
  ): void

  // ── quantization ───────────────────────────────────────────────────────────────────────────────────────────────────────

  /** values = round(x / scale), scale = max|x| / 127 per row; round half to even. scales [rows]. */
  quantizeInt8(values: Int8Array, scales: Float32Array, x: Float32Array, options: RowShape): void
  dequantizeInt8(out: Float32Array, values: Int8Array, scales: Float32Array, options: RowShape): void
  /**
   * Symmetric 4-bit groups along columns: x ≈ scale·(q − 8), q in 0…15; the scale of each group is the one of least squared error
   * among 16 candidates around max|x|/7.5. nibbles [rows, columns/2], even column in the low nibble; scales [rows, columns/groupSize].
   */
  quantizeInt4(
    nibbles: Uint8Array,
    scales: Float32Array,
    x: Float32Array,
    options: RowShape & { groupSize: number },
  ): void
  dequantizeInt4(
    out: Float32Array,
    nibbles: Uint8Array,
    scales: Float32Array,
    options: RowShape & { groupSize: number },
  ): void

  // ── limits of this machine ─────────────────────────────────────────────────────────────────────────────────────────────

  /** Bytes per second read from memory, over a buffer of `bytes` (default 256 MiB), best of a few passes. */
  probeReadBandwidth(options?: { bytes?: number; threads?: number }): number
  /** Operations per second of the widest multiply-add of that type (2 per multiply-add); 0 where the machine lacks it. */
  probePeak(kind: 'f32' | 'bf16' | 'int8', options?: { threads?: number }): number
}

export type Isa = 'scalar' | 'avx2' | 'avx512' | 'avx512-bf16' | 'neon'

/** Weights in the form that the kernels read, held outside the JavaScript heap (and counted to it) by the native backend. */
export interface PackedMatrix extends Disposable {
  readonly dtype: PackedDtype
  readonly experts: number
  readonly rows: number
  readonly columns: number
  /** Columns per scale: 32 or 128 for int4, `columns` for int8, 0 where there are no scales. */
  readonly groupSize: number
  /** Size in memory, scales included, padding excluded. */
  readonly bytes: number
  /** Frees the weights now instead of at garbage collection. Any later use throws ERR_BIO_DISPOSED. */
  dispose(): void
}

/** Sparse weights, held as `PackedMatrix` is. */
export interface SparseMatrix extends Disposable {
  /** The format that was asked for or chosen. */
  readonly format: SparseFormat
  readonly rows: number
  readonly columns: number
  /** Size in memory of the weights and of what finds them. */
  readonly bytes: number
  /** Frees the weights now instead of at garbage collection. Any later use throws ERR_BIO_DISPOSED. */
  dispose(): void
}

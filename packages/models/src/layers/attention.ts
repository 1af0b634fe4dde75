import { getKernels } from '@bio/kernels'
import { attention, fromData, Linear, Module, rotary, type Rng, type Tensor } from '@bio/tensor'
import type { PagedBatch, PagedCache } from '../decoder/paged-batch.js'
import type { BlockShape } from './block-shape.js'
import { overRuns, type Run } from './runs.js'

/** Self-attention with rotary positions and grouped key heads (Ainslie et al. 2023), no bias. */
export class Attention extends Module {
  readonly query: Linear
  readonly key: Linear
  readonly value: Linear
  readonly output: Linear
  readonly config: BlockShape

  constructor(config: BlockShape, rng: Rng) {
    super()
    const { dim, heads, kvHeads, headDim } = config
    this.config = config
    this.query = new Linear(dim, heads * headDim, { bias: false, rng })
    this.key = new Linear(dim, kvHeads * headDim, { bias: false, rng })
    this.value = new Linear(dim, kvHeads * headDim, { bias: false, rng })
    this.output = new Linear(heads * headDim, dim, { bias: false, rng })
  }

  /** x [tokens, dim] → the same shape, each row seeing its own sequence; if causal, the rows before it and itself. */
  forward(
    x: Tensor,
    { runs, positions, causal }: { runs: readonly Run[]; positions: Int32Array; causal: boolean },
  ): Tensor {
    const { heads, kvHeads, headDim, ropeTheta: theta } = this.config
    const tokens = positions.length
    const q = rotary(this.query.forward(x).reshape([1, tokens, heads, headDim]), positions, { theta })
    const k = rotary(this.key.forward(x).reshape([1, tokens, kvHeads, headDim]), positions, { theta })
    const flat = [
      q.reshape([tokens, heads, headDim]),
      k.reshape([tokens, kvHeads, headDim]),
      this.value.forward(x).reshape([tokens, kvHeads, headDim]),
    ] as const
    const mixed = overRuns(flat, runs, ([queries, keys, values]) =>
      attention(queries, keys, values, { causal }).reshape([-1, heads * headDim]),
    )
    return this.output.forward(mixed) // [tokens, dim]
  }

  /** The same for new tokens x [tokens, dim] of a ragged batch: keys and values go to the cache, queries read it. */
  forwardPaged(x: Tensor, batch: PagedBatch, cache: PagedCache, layer: number): Tensor {
    const kernels = getKernels()
    const { heads, kvHeads, headDim, ropeTheta: theta } = this.config
    const q = this.query.forward(x).data as Float32Array // [tokens, heads, headDim]
    const k = this.key.forward(x).data as Float32Array // [tokens, kvHeads, headDim]
    const v = this.value.forward(x).data as Float32Array
    kernels.rotary(q, q, batch.positions, { heads, headDim, theta })
    kernels.rotary(k, k, batch.positions, { heads: kvHeads, headDim, theta })
    cache.write(layer, k, v, batch.slots)
    const mixed = new Float32Array(q.length)
    const pages = { heads, kvHeads, headDim, blockTokens: cache.blockTokens }
    const { sequences, positions, blockTables, maxBlocks } = batch
    kernels.pagedAttention(mixed, q, cache.keys(layer), cache.values(layer), {
      ...pages,
      sequences,
      positions,
      blockTables,
      maxBlocks,
    })
    return this.output.forward(fromData(mixed, [batch.tokens.length, heads * headDim]))
  }
}

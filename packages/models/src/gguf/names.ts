import type { DecoderConfig } from '../decoder/config.js'
import { refuseGguf, refuseUnsupported } from './file.js'
import type { Header, TensorInfo } from './header.js'

/** Rows of a tensor of the file, and the rows of ours that they become: row i goes to row place(i). */
export interface Part {
  readonly tensor: TensorInfo
  readonly place: (row: number) => number
}

/** A weight of the decoder, [experts, rows, columns], and the parts that fill it. */
export interface Weight {
  /** Where its module is, e.g. `layers.0.attention.query`. */
  readonly path: string
  readonly experts: number
  readonly rows: number
  readonly columns: number
  readonly parts: readonly Part[]
}

const inOrder = (row: number): number => row

/**
 * Undoes the order of llama.cpp's converter: it lays the pairs (i, i + headDim/2) that rotary positions turn side by side, as rows 2i and
 * 2i + 1 of a head.
 */
const unpaired =
  (headDim: number) =>
  (row: number): number => {
    const within = row % headDim
    return row - within + (within % 2) * (headDim / 2) + (within >> 1)
  }

/**
 * Every weight of a decoder, with the tensors of a `llama` file that fill it. Throws ERR_BIO_FORMAT for a tensor that is missing or of
 * another shape, ERR_BIO_UNSUPPORTED for one that the decoder has no place for.
 */
export function weightsOf({ tensors }: Header, config: DecoderConfig, path: string): Weight[] {
  const { vocabSize, dim, layers, heads, kvHeads, headDim, hidden, experts } = config
  const used = new Set(['token_embd.weight'])

  const take = (
    name: string,
    shape: readonly [experts: number, rows: number, columns: number],
  ): TensorInfo => {
    const found = tensors.get(name)
    const size = found === undefined ? 'nothing' : `[${found.experts}, ${found.rows}, ${found.columns}]`
    if (found === undefined || size !== `[${shape.join(', ')}]`)
      return refuseGguf(path, `${name} of shape [${shape.join(', ')}]`, size)
    used.add(name)
    return found
  }
  const plain = (module: string, name: string, rows: number, columns: number, place = inOrder): Weight => ({
    path: module,
    experts: 1,
    rows,
    columns,
    parts: [{ tensor: take(name, [1, rows, columns]), place }],
  })
  /** One projection of every expert of a layer: expert e, row r goes to place(e, r). */
  const projection = (
    layer: number,
    kind: 'gate' | 'up' | 'down',
    [rows, columns]: readonly [number, number],
    place: (expert: number, row: number) => number,
  ): Part[] => {
    const stem = `blk.${layer}.ffn_${kind}`
    if (experts === 1)
      return [{ tensor: take(`${stem}.weight`, [1, rows, columns]), place: (row) => place(0, row) }]
    if (tensors.has(`${stem}_exps.weight`)) {
      const tensor = take(`${stem}_exps.weight`, [experts, rows, columns])
      return [{ tensor, place: (row) => place(Math.floor(row / rows), row % rows) }]
    }
    // Files of 2023 have a tensor per expert.
    return Array.from({ length: experts }, (_, expert) => ({
      tensor: take(`${stem}.${expert}.weight`, [1, rows, columns]),
      place: (row) => place(expert, row),
    }))
  }

  const perLayer = Array.from({ length: layers }, (_, layer): Weight[] => {
    const [ours, theirs] = [`layers.${layer}`, `blk.${layer}`]
    const pairs = unpaired(headDim)
    const half = (up: number) => (expert: number, row: number) => (2 * expert + up) * hidden + row
    const gateUp = [
      ...projection(layer, 'gate', [hidden, dim], half(0)),
      ...projection(layer, 'up', [hidden, dim], half(1)),
    ]
    const down = projection(layer, 'down', [dim, hidden], (expert, row) => expert * dim + row)
    return [
      plain(`${ours}.attentionNorm`, `${theirs}.attn_norm.weight`, 1, dim),
      plain(`${ours}.attention.query`, `${theirs}.attn_q.weight`, heads * headDim, dim, pairs),
      plain(`${ours}.attention.key`, `${theirs}.attn_k.weight`, kvHeads * headDim, dim, pairs),
      plain(`${ours}.attention.value`, `${theirs}.attn_v.weight`, kvHeads * headDim, dim),
      plain(`${ours}.attention.output`, `${theirs}.attn_output.weight`, dim, heads * headDim),
      plain(`${ours}.expertsNorm`, `${theirs}.ffn_norm.weight`, 1, dim),
      ...(experts === 1
        ? []
        : [plain(`${ours}.experts.router`, `${theirs}.ffn_gate_inp.weight`, experts, dim)]),
      { path: `${ours}.experts.gateUp`, experts, rows: 2 * hidden, columns: dim, parts: gateUp },
      { path: `${ours}.experts.down`, experts, rows: dim, columns: hidden, parts: down },
    ]
  })
  // Without a head of its own the embedding serves as one.
  const head = tensors.has('output.weight') ? 'output.weight' : 'token_embd.weight'
  const weights = [
    plain('embedding', 'token_embd.weight', vocabSize, dim),
    ...perLayer.flat(),
    plain('norm', 'output_norm.weight', 1, dim),
    plain('head', head, vocabSize, dim),
  ]
  const unused = [...tensors.keys()].find((name) => !used.has(name))
  if (unused !== undefined)
    refuseUnsupported(path, 'tensors of the llama architecture without biases', unused)
  return weights
}

import type { Tensor } from '@bio/tensor'

/** Where the tokens of a batch go. */
export interface Routing {
  /** [tokens, topK] experts of each token, best first. */
  readonly selected: Int32Array
  /** [tokens, topK] what each expert's output is multiplied by. */
  readonly weights: Tensor
  /** [tokens, experts] softmax of the logits over all experts. */
  readonly probabilities: Tensor
}

/** Chooses `topK` experts per token. A token's routing must not depend on the other tokens. */
export interface Router {
  readonly topK: number
  /** @param logits [tokens, experts] */
  route(logits: Tensor): Routing
}

/**
 * A loss that pushes a layer towards even load, as a function of what the router did on average.
 *
 * `meanProbability` [experts] is P, the softmax probability of each expert averaged over the tokens; `load` [experts] is f, the share of
 * the choices that fell on it (a count, so no gradient flows through it). Returns the loss and its gradient for P.
 */
export interface Balance {
  evaluate(meanProbability: Float64Array, load: Float64Array): { loss: number; gradient: Float64Array }
}

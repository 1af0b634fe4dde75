import { dropout } from '../ops/dropout.js'
import type { Rng } from '../rng.js'
import type { Tensor } from '../tensor.js'
import { Module } from './module.js'

/** Sets values to 0 with probability p while training; see `dropout`. */
export class Dropout extends Module {
  readonly p: number
  readonly rng: Rng

  constructor(p: number, { rng }: { rng: Rng }) {
    super()
    this.p = p
    this.rng = rng
  }

  forward(x: Tensor): Tensor {
    return dropout(x, { p: this.p, rng: this.rng, training: this.training })
  }
}

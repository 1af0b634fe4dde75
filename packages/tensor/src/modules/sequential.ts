import type { Tensor } from '../tensor.js'
import { Module } from './module.js'

/** Modules of one input and one output, one after the other. Parameters are named `layers.0.weight`, … */
export class Sequential extends Module {
  readonly layers: (Module & { forward(x: Tensor): Tensor })[]

  constructor(...layers: (Module & { forward(x: Tensor): Tensor })[]) {
    super()
    this.layers = layers
  }

  forward(x: Tensor): Tensor {
    return this.layers.reduce((value, layer) => layer.forward(value), x)
  }
}

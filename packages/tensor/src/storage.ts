import type { TensorData } from './dtype.js'
import { forget, giveBack } from './pool.js'

/** Memory that one or several tensors show: `reshape` and `detach` share it. */
export class Storage {
  /** Undefined once it went back to the pool. */
  data: TensorData | undefined
  /** True for what an operation made, until someone keeps it. */
  pooled: boolean
  /** Counts changes in place (optimiser steps, loaded state), so that backward notices values that changed under it. */
  version = 0

  constructor(data: TensorData, { pooled }: { pooled: boolean }) {
    this.data = data
    this.pooled = pooled && data.length > 1
  }

  /** From now on the garbage collector owns the memory, not the tape. */
  keep(): void {
    if (!this.pooled) return
    this.pooled = false
    if (this.data !== undefined) forget(this.data as Float32Array)
  }

  /** Back to the pool, unless somebody kept it. */
  release(): void {
    if (!this.pooled || this.data === undefined) return
    giveBack(this.data as Float32Array)
    this.data = undefined
  }
}

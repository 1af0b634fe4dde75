import type { Kernels } from './interface.js'

/** The kernels behind the checks: the same functions, which may trust their arguments. */
export type Backend = Kernels

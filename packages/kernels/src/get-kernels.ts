import type { Kernels } from './interface.js'
import { loadNativeKernels } from './native/kernels.js'
import { createTypeScriptKernels } from './typescript.js'

let kernels: Kernels | undefined

/**
 * The kernels of this thread: native where a binary fits this machine, else the TypeScript ones after one warning
 * (`BIO_KERNELS_FALLBACK`). `BIO_KERNELS=native` refuses the fallback, `BIO_KERNELS=typescript` asks for it in silence.
 * Throws ERR_BIO_NATIVE when the native ones are demanded and missing.
 *
 * @example
 * ```ts
 * import { getKernels } from '@bio/kernels'
 *
 * const out = new Float32Array(2)
 * getKernels().matmul(out, Float32Array.of(1, 2), Float32Array.of(3, 4, 5, 6), { m: 1, n: 2, k: 2 })
 * console.log(out.join(' ')) // => 13 16
 * ```
 */
export function getKernels(): Kernels {
  kernels ??= choose(process.env['BIO_KERNELS'])
  return kernels
}

function choose(wish: string | undefined): Kernels {
  if (wish === 'typescript') return createTypeScriptKernels()
  try {
    return loadNativeKernels()
  } catch (error) {
    if (wish === 'native') throw error
    process.emitWarning(`the kernels run in plain TypeScript, much slower. ${(error as Error).message}`, {
      type: 'BioWarning',
      code: 'BIO_KERNELS_FALLBACK',
    })
    return createTypeScriptKernels()
  }
}

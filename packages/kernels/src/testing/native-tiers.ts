import type { Isa, Kernels } from '../interface.js'
import type { Binding } from '../native/binding.js'
import { loadNativeKernels } from '../native/kernels.js'
import { loadBinding } from '../native/load.js'

/** The native kernels where they were built; without, the tests that need them are skipped, and say so. */
export let native: Kernels | undefined
export let binding: Binding | undefined
try {
  native = loadNativeKernels()
  binding = loadBinding()
} catch (error) {
  console.log(`skipped: tests of the native kernels (${(error as Error).message})`)
}

const known: readonly Isa[] = ['scalar', 'avx2', 'avx512', 'avx512-bf16', 'neon']

/** What this machine can run. Never empty: a file whose tests are all skipped still has to name some. */
export const tiers: readonly Isa[] = known.filter((isa) => binding?.limitIsaForTest(isa) ?? isa === 'scalar')
binding?.limitIsaForTest('')

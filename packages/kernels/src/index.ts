export { getKernels } from './get-kernels.js'
export type * from './interface.js'
export { loadNativeKernels } from './native/kernels.js'
export { createTypeScriptKernels } from './typescript.js'

import type { NvmlLike } from '../nvml/nvml-like.js'
import type { CounterFeed } from './counter-feed.js'

/** What the meter uses of the optional package `@bio/kernels`: threads that read counters however long JavaScript is busy. */
export interface NativeCounters {
  sampleFiles(options: { readonly paths: readonly string[]; readonly hertz: number }): CounterFeed
  openNvml(): NvmlLike
}

/** The package, where one that reads counters is installed. */
export async function findNativeCounters(): Promise<NativeCounters | undefined> {
  let kernels: object
  try {
    kernels = await import('@bio/kernels')
  } catch {
    return undefined
  }
  return 'sampleFiles' in kernels && 'openNvml' in kernels ? (kernels as NativeCounters) : undefined
}

/** Files read by a thread; undefined where there is no package, or no binary of it for this machine. */
export async function sampleFiles(paths: readonly string[], hertz: number): Promise<CounterFeed | undefined> {
  try {
    return (await findNativeCounters())?.sampleFiles({ paths, hertz })
  } catch {
    return undefined
  }
}

import type { Storage } from '../storage.js'

let current: Storage[] | undefined

/** Notes what an operation made, for the region around it. */
export function made(storage: Storage): void {
  current?.push(storage)
}

/** Runs `fn` and lists what operations made in it. If it throws, all of that goes back to the pool. */
export function collectMade<T>(fn: () => T): { result: T; storages: Storage[] } {
  const outer = current
  const storages: Storage[] = []
  current = storages
  try {
    return { result: fn(), storages }
  } catch (error) {
    for (const storage of storages) storage.release()
    throw error
  } finally {
    current = outer
  }
}

/** Who listens to a signal. One listener serves them all: a signal may be shared by thousands of requests, and Node warns from eleven. */
const listening: WeakMap<AbortSignal, { readonly callbacks: Set<() => void>; readonly stop: () => void }> =
  new WeakMap()

/** Calls back once when `signal` aborts; returns how to take that back. */
export function onAbort(signal: AbortSignal, callback: () => void): () => void {
  const { callbacks, stop } = listening.get(signal) ?? listen(signal)
  const entry = (): void => callback() // its own identity, should a callback be given twice
  callbacks.add(entry)
  return () => {
    callbacks.delete(entry)
    if (callbacks.size === 0) stop()
  }
}

function listen(signal: AbortSignal): { readonly callbacks: Set<() => void>; readonly stop: () => void } {
  const callbacks = new Set<() => void>()
  const notify = (): void => {
    for (const callback of callbacks) callback()
  }
  const stop = (): void => {
    signal.removeEventListener('abort', notify)
    if (listening.get(signal) === created) listening.delete(signal)
  }
  const created = { callbacks, stop }
  listening.set(signal, created)
  signal.addEventListener('abort', notify)
  return created
}

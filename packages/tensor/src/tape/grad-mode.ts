import { BioError } from '@bio/errors'

let enabled = true

/** Whether operations are recorded for `backward()`. */
export function isGradEnabled(): boolean {
  return enabled
}

/** Runs `fn` with recording on or off, then goes back to what it was. Throws ERR_BIO_ASYNC if `fn` returns a promise. */
export function withGrad<T>(on: boolean, fn: () => T): T {
  const before = enabled
  enabled = on
  try {
    return refuseAsync(on ? 'withGrad' : 'noGrad', fn())
  } finally {
    enabled = before
  }
}

/**
 * Runs `fn` without recording: no graph, no gradients, no saved values. `fn` must be synchronous: throws ERR_BIO_ASYNC where it returns a
 * promise, since what it does after its first `await` would be recorded.
 */
export function noGrad<T>(fn: () => T): T {
  return withGrad(false, fn)
}

/** A promise can't be inside: the state around it is gone before it goes on. */
export function refuseAsync<T>(operation: string, result: T): T {
  if (typeof (result as { then?: unknown } | null | undefined)?.then !== 'function') return result
  void (result as unknown as Promise<unknown>).then(undefined, () => {})
  throw new BioError('ERR_BIO_ASYNC', {
    operation,
    expected: 'a synchronous function',
    received: 'one that returns a promise',
    hint: `Call ${operation} between the awaits.`,
  })
}

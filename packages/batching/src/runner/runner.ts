/** What a run returns: one entry per input, in their order; an `Error` rejects that request only. */
export type BatchOutputs<Output> = readonly (Output | Error)[]

/** What a run gets beside its inputs. */
export interface RunContext {
  /** Aborts once nobody waits for the run any more, or its time is over. Made when first read: a spread of the context leaves it out. */
  readonly signal: AbortSignal
}

/** Where a `Batcher` sends its batches: the caller's function in this process, or the same function in a pool of workers. */
export interface Runner<Input, Output> {
  /**
   * Gives what the function returned, unchecked. Rejects with what it threw, or with ERR_BIO_RUN_TIMEOUT, ERR_BIO_WORKER_CRASHED,
   * ERR_BIO_WORKER_START or ERR_BIO_CLOSED.
   */
  run(inputs: readonly Input[], context: RunContext): Promise<BatchOutputs<Output>>
  /** Ends the workers, and with them what still runs there. Never throws. */
  close(): Promise<void>
}

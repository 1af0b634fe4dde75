import { BioError } from '@bio/errors'
import { describe } from '../check.js'

export function startError(module: string, received: string, cause?: unknown): BioError {
  return new BioError('ERR_BIO_WORKER_START', {
    operation: 'Batcher.workers',
    expected: `a worker that loads ${module.slice(0, 200)} and finds its export run`,
    received,
    cause,
  })
}

export function crashError(received: string, cause?: unknown): BioError {
  return new BioError('ERR_BIO_WORKER_CRASHED', {
    operation: 'Batcher.run',
    expected: 'a worker that lives until its run has ended',
    received,
    cause,
  })
}

export function closedError(): BioError {
  return new BioError('ERR_BIO_CLOSED', {
    operation: 'Batcher.run',
    expected: 'open workers',
    received: 'workers that were closed',
  })
}

export function inputError(index: number, cause: unknown): BioError {
  return new BioError('ERR_BIO_VALUE', {
    operation: 'Batcher.run',
    expected: 'inputs that structured clone can copy into the worker',
    received: `input ${index}: ${messageOf(cause)}`,
    cause,
  })
}

export function dataError(cause: unknown): BioError {
  return new BioError('ERR_BIO_CONFIG', {
    operation: 'Batcher.workers',
    expected: 'data that structured clone can copy into the worker',
    received: messageOf(cause),
    cause,
  })
}

export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : describe(thrown)
}

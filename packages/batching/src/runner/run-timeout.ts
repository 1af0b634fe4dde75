import { BioError } from '@bio/errors'
import { checkCount, checkDelay } from '../check.js'

/** Refuses a time in which nothing could run, or that no timer can keep (`ERR_BIO_CONFIG`). */
export function checkTimeout(name: string, ms: number | undefined): void {
  if (ms === undefined) return
  checkCount('Batcher', name, ms)
  checkDelay('Batcher', name, ms)
}

export function runTimedOut(runTimeoutMs: number): BioError {
  return new BioError('ERR_BIO_RUN_TIMEOUT', {
    operation: 'Batcher.run',
    expected: `outputs within ${runTimeoutMs} ms`,
    received: 'none yet',
  })
}

import { BioError } from '@bio/errors'
import { loadBinding } from '../native/load.js'
import { checkHertz, CounterSampler } from './counter-sampler.js'

export interface SampleFilesOptions {
  /** Files that hold one whole number each, such as `energy_uj` of powercap. They need not be there yet. */
  readonly paths: readonly string[]
  /** Reads per second; 10 by default, 0.01 to 1000. */
  readonly hertz?: number
}

/**
 * Reads files at a steady rate from a thread of its own.
 *
 * @throws `ERR_BIO_NATIVE` where there is no binary, `ERR_BIO_VALUE` for a rate out of range or paths that are none.
 *
 * @example
 * ```ts
 * import { writeFileSync } from 'node:fs'
 * import { sampleFiles } from '@bio/kernels'
 *
 * writeFileSync('/tmp/energy_uj', '17\n')
 * using sampler = sampleFiles({ paths: ['/tmp/energy_uj'] })
 * console.log(sampler.take().at(-1)?.values) // => [ 17 ]
 * ```
 */
export function sampleFiles(options: SampleFilesOptions): CounterSampler {
  const { paths, hertz = 10 } = options
  checkHertz('sampleFiles', hertz)
  const usable = Array.isArray(paths) && paths.length > 0
  if (!usable || !paths.every((path) => typeof path === 'string' && path !== '' && !path.includes('\0'))) {
    throw new BioError('ERR_BIO_VALUE', {
      operation: 'sampleFiles',
      expected: 'paths to name at least one file',
      received: JSON.stringify(paths) ?? 'undefined',
    })
  }
  return new CounterSampler(loadBinding().sampleFiles(paths, hertz), paths)
}

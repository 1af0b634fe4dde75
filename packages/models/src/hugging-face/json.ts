import { readFile } from 'node:fs/promises'
import { BioError } from '@bio/errors'

/** Reads a JSON file: ERR_BIO_IO where it can't be read, ERR_BIO_FORMAT where it isn't JSON. */
export async function readJson(path: string): Promise<unknown> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new BioError('ERR_BIO_IO', {
      operation: 'readJson',
      expected: `a readable file ${path}`,
      received: (cause as NodeJS.ErrnoException).code ?? String(cause),
      hint: 'Give the folder of a Hugging Face model.',
      cause,
    })
  })
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new BioError('ERR_BIO_FORMAT', {
      operation: 'readJson',
      expected: `JSON in ${path}`,
      received: (cause as Error).message,
      cause,
    })
  }
}

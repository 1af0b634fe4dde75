import { readdirSync, readFileSync } from 'node:fs'

/** The two operations on files that powercap needs; both throw Node's errors (`ENOENT`, `EACCES`, `EINVAL`). */
export interface PowercapFiles {
  list(folder: string): string[]
  read(path: string): string
}

export const systemFiles: PowercapFiles = {
  list: (folder) => readdirSync(folder),
  read: (path) => readFileSync(path, 'utf8'),
}

/** A whole number from a file. Throws when the file cannot be read or holds something else, naming the file. */
export function readCount(files: PowercapFiles, path: string): number {
  let text: string
  try {
    text = files.read(path).trim()
  } catch (error) {
    throw new Error(`${path}: ${errorCode(error)}`, { cause: error })
  }
  if (!/^\d+$/.test(text)) throw new Error(`${path} holds ${JSON.stringify(text.slice(0, 40))}, not a number`)
  return Number(text)
}

/** `EACCES` and the like, also through `readCount`; the message for what has none. */
export function errorCode(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if ('code' in error && typeof error.code === 'string') return error.code
  return error.cause === undefined ? error.message : errorCode(error.cause)
}

import { openSync, readSync } from 'node:fs'

const descriptors = new Map<string, number>()
let buffer = Buffer.allocUnsafe(4096)

/**
 * A file's text, its descriptor kept open for the next time: half the cost of opening it anew, and every window reads `/proc/stat` at both
 * ends. Throws Node's errors. Only for the few files that the kernel writes afresh at each read from position 0.
 */
export function readKept(path: string): string {
  let descriptor = descriptors.get(path)
  if (descriptor === undefined) {
    descriptor = openSync(path, 'r')
    descriptors.set(path, descriptor)
  }
  for (;;) {
    const length = readSync(descriptor, buffer, 0, buffer.length, 0)
    if (length < buffer.length) return buffer.toString('latin1', 0, length)
    buffer = Buffer.allocUnsafe(buffer.length * 2)
  }
}

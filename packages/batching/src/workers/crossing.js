// Plain JavaScript, like worker-entry.js, which Node starts by path: it must run from these sources as well as from a build.
import { types } from 'node:util'

const brand = Symbol.for('@bio/errors/BioError')
const deepestCause = 8 // a cause may be its own cause

/**
 * A typed array that owns exactly what it shows. A clone would carry the whole buffer beneath: rows of a large matrix, or the memory
 * of a WebAssembly module, every time. Anything else is given back as it is.
 */
export function ownCopy(value) {
  if (!ArrayBuffer.isView(value) || !(value.buffer instanceof ArrayBuffer)) return value
  const { buffer, byteOffset, byteLength } = value
  const View = globalThis[value[Symbol.toStringTag]]
  return new View(buffer.slice(byteOffset, byteOffset + byteLength))
}

/**
 * The values to post, and what to move rather than clone: the copies made here, so that nobody's own array is ever detached (a model
 * may keep its output buffer for the next run) and yet each byte is copied once.
 */
export function toPost(values) {
  const copies = values.map(ownCopy)
  const transfer = copies.flatMap((copy, index) => (Object.is(copy, values[index]) ? [] : [copy.buffer]))
  return { values: copies, transfer }
}

/** Why `clone` refuses the value, or undefined. */
export function refusal(value, clone) {
  try {
    clone(value)
    return undefined
  } catch (error) {
    return error
  }
}

/** What was thrown as data that `clone` takes. */
export function toThrown(thrown, clone, depth = 0) {
  if (!isError(thrown)) {
    const refused = refusal(thrown, clone)
    return refused === undefined ? { value: thrown } : toThrown(refused, clone, depth)
  }
  const { name, message, stack, cause } = thrown
  const keys = Object.keys(thrown).filter((key) => key !== 'cause' && !refusal(thrown[key], clone))
  return {
    error: {
      name: String(name),
      message: String(message),
      stack: String(stack),
      fields: Object.fromEntries(keys.map((key) => [key, thrown[key]])),
      bio: brand in thrown,
      ...(cause === undefined || depth === deepestCause ? {} : { cause: toThrown(cause, clone, depth + 1) }),
    },
  }
}

export function isError(value) {
  return types.isNativeError(value) || value instanceof Error
}

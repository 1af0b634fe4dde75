import { describeError, invalid } from '../check.js'

/**
 * JSON with one text per value: keys in the order of their UTF-16 units, no spaces, numbers as JavaScript writes them (RFC 8785).
 *
 * @throws `ERR_BIO_VALUE` for NaN and infinities, which JSON would turn into null, and for what has no JSON: cycles, big integers.
 */
export function canonicalJson(value: unknown): string {
  return write(toPlain(value))
}

/** The value as JSON has it, for whom no class, `undefined` or shared part is left. */
export function toPlain(value: unknown): unknown {
  let text: string | undefined
  try {
    text = JSON.stringify(value, (key, item: unknown) => {
      if (typeof item !== 'number' || Number.isFinite(item)) return item
      throw invalid('canonicalJson', `a finite number as ${key}`, item)
    })
  } catch (error) {
    if (error instanceof TypeError || error instanceof RangeError) {
      throw invalid('canonicalJson', 'a value that JSON can hold', value, describeError(error))
    }
    throw error
  }
  if (text === undefined) throw invalid('canonicalJson', 'a value that JSON can hold', value)
  return JSON.parse(text)
}

function write(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(write).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const keys = Object.keys(value).toSorted() // by UTF-16 units
  const entries = value as Readonly<Record<string, unknown>>
  return `{${keys.map((key) => `${JSON.stringify(key)}:${write(entries[key])}`).join(',')}}`
}

import { BioError, type BioErrorOptions } from '@bio/errors'
import type { PlainError, Thrown } from './messages.js'

const standard = { EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError }

/** What was thrown on the other side: a `BioError`, a standard error or a plain one, with the name, fields, stack and cause it had there. */
export function revive(thrown: Thrown): unknown {
  if ('value' in thrown) return thrown.value
  const { name, stack, fields } = thrown.error
  const error = Object.assign(create(thrown.error), fields)
  if (error.name !== name) Object.defineProperty(error, 'name', { value: name, configurable: true })
  if (stack !== undefined) Object.defineProperty(error, 'stack', { value: stack, configurable: true })
  return error
}

function create({ name, message, fields, bio, cause: plainCause }: PlainError): Error {
  const cause = plainCause === undefined ? {} : { cause: revive(plainCause) }
  if (bio) {
    const { code, ...options } = fields as unknown as BioErrorOptions & { readonly code: string }
    return new BioError(code, { ...options, ...cause })
  }
  const Constructor = Object.hasOwn(standard, name) ? standard[name as keyof typeof standard] : Error
  return new Constructor(message, cause)
}

import { BioError } from '@bio/errors'

/** What a number must satisfy, and how to say it. */
interface NumberRule {
  readonly minimum?: number
  readonly maximum?: number
  /** The minimum itself is refused too. */
  readonly exclusive?: boolean
  readonly whole?: boolean
}

/** Refuses what is no finite number within the rule (`ERR_BIO_VALUE`). */
export function checkNumber(operation: string, name: string, value: number, rule: NumberRule = {}): void {
  const { minimum = -Infinity, maximum = Infinity, exclusive = false, whole = false } = rule
  const high = value <= maximum && (exclusive ? value > minimum : value >= minimum)
  if (Number.isFinite(value) && high && (!whole || Number.isSafeInteger(value))) return
  const least = minimum === -Infinity ? '' : exclusive ? ` above ${minimum}` : ` of at least ${minimum}`
  const most = maximum === Infinity ? '' : `${least === '' ? '' : ' and'} up to ${maximum}`
  throw invalid(operation, `${name} to be a ${whole ? 'whole' : 'finite'} number${least}${most}`, value)
}

/** The error of a value that could never work. */
export function invalid(operation: string, expected: string, value: unknown, hint?: string): BioError {
  return new BioError('ERR_BIO_VALUE', {
    operation,
    expected,
    received: describeValue(value),
    ...(hint === undefined ? {} : { hint }),
  })
}

/** Says what came, in a few characters, whatever it is. */
export function describeValue(value: unknown): string {
  if (typeof value === 'number' || typeof value === 'boolean' || value == null) return String(value)
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 40))
  if (Array.isArray(value)) return `an array of ${value.length}`
  return typeof value === 'object' ? `a ${value.constructor?.name ?? 'null-prototype object'}` : typeof value
}

/** The code and sentence of whatever was thrown, for a reason that a person reads. */
export function describeError(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

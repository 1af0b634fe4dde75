import { parseArgs, type ParseArgsConfig } from 'node:util'
import { BioError } from '@bio/errors'
import type { EngineOptions } from '@bio/serve'

/** One verb of the command line. */
export interface Command {
  /** One line for the list. */
  readonly summary: string
  run(args: readonly string[], signal: AbortSignal): Promise<void>
}

type Flags = NonNullable<ParseArgsConfig['options']>

/** Flags by name, then what stands alone. Unknown ones throw ERR_BIO_ARGUMENT; with --help, `usage` is printed and the result undefined. */
export function parse<T extends Flags>(
  args: readonly string[],
  { usage, flags }: { usage: string; flags: T },
): { values: ReturnType<typeof parseArgs<{ options: T }>>['values']; positionals: string[] } | undefined {
  if (args.includes('--help') || args.includes('-h')) {
    console.log(usage)
    return undefined
  }
  try {
    const { values, positionals } = parseArgs({ args: [...args], options: flags, allowPositionals: true })
    return { values, positionals }
  } catch (error) {
    throw new BioError('ERR_BIO_ARGUMENT', {
      operation: 'bio',
      expected: 'arguments of this command',
      received: (error as Error).message,
      hint: 'Add --help to see them.',
    })
  }
}

/** A whole number within bounds from a flag, or the default. */
export function integer(
  value: string | undefined,
  { name, low, high, otherwise }: { name: string; low: number; high: number; otherwise: number },
): number {
  if (value === undefined) return otherwise
  const number = Number(value)
  if (Number.isInteger(number) && number >= low && number <= high) return number
  throw new BioError('ERR_BIO_ARGUMENT', {
    operation: 'bio',
    expected: `--${name}, a whole number from ${low} to ${high}`,
    received: value,
  })
}

/** Flags that say how a model is held, for commands that run one. */
export const modelFlags = { weights: { type: 'string' }, 'kv-dtype': { type: 'string' } } as const

/** What the flags of `modelFlags` say, if they were given. */
export function modelOptions(values: {
  readonly weights?: string | undefined
  readonly 'kv-dtype'?: string | undefined
}): Pick<EngineOptions, 'weights' | 'kvDtype'> {
  const weights = oneOf(values.weights, { name: 'weights', words: ['f32', 'bf16', 'int8', 'int4'] })
  const kvDtype = oneOf(values['kv-dtype'], { name: 'kv-dtype', words: ['f32', 'bf16', 'int8'] })
  return { ...(weights === undefined ? {} : { weights }), ...(kvDtype === undefined ? {} : { kvDtype }) }
}

/** One of some words from a flag, if it was given. */
function oneOf<T extends string>(
  value: string | undefined,
  { name, words }: { name: string; words: readonly T[] },
): T | undefined {
  if (value === undefined) return undefined
  const word = words.find((candidate) => candidate === value)
  if (word !== undefined) return word
  throw new BioError('ERR_BIO_ARGUMENT', {
    operation: 'bio',
    expected: `--${name}, one of ${words.join(', ')}`,
    received: value,
  })
}

import { tour } from '../tour/tour.js'
import { parse, type Command } from './command.js'
import { BioError } from '@bio/errors'

const usage = `bio tour: all of it on real text, in under 4 minutes on 2 cores

  --quick                   a smaller model, in under a minute
  --text FILE               the first text (the TypeScript compiler's declarations)
  --second FILE             the second text (the Markdown of the installed packages)
  --out FOLDER              where the report and the model go (out)
  --dollars-per-hour N      price of this machine (0.05 per core)`

const flags = {
  quick: { type: 'boolean' },
  text: { type: 'string' },
  second: { type: 'string' },
  out: { type: 'string' },
  'dollars-per-hour': { type: 'string' },
} as const

export const tourCommand: Command = {
  summary: 'all of it on real text, in under 4 minutes on 2 cores',
  async run(args, signal) {
    const parsed = parse(args, { usage, flags })
    if (parsed === undefined) return
    const { quick, text, second, out, 'dollars-per-hour': price } = parsed.values
    const dollarsPerHour = price === undefined ? undefined : Number(price)
    if (dollarsPerHour !== undefined && !(dollarsPerHour > 0)) {
      throw new BioError('ERR_BIO_ARGUMENT', {
        operation: 'bio',
        expected: '--dollars-per-hour above 0',
        received: price!,
      })
    }
    await tour({
      signal,
      size: quick === true ? 'quick' : 'full',
      ...(text === undefined ? {} : { text }),
      ...(second === undefined ? {} : { second }),
      ...(out === undefined ? {} : { out }),
      ...(dollarsPerHour === undefined ? {} : { dollarsPerHour }),
    })
  },
}

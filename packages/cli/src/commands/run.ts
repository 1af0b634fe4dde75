import { Engine } from '@bio/serve'
import { loadTokenizer, TextStream } from '@bio/models'
import { digits } from '../terminal/format.js'
import { integer, modelFlags, modelOptions, parse, type Command } from './command.js'

const usage = `bio run MODEL PROMPT…: continue a text with a Hugging Face folder or a GGUF file

  --tokens N          how many tokens at most (200)
  --temperature T     0 takes the likeliest token each time (0.7)
  --seed N            the same seed gives the same text (0)
  --weights TYPE      f32, bf16, int8 or int4 (int8; a GGUF file's Q4_0: int4)
  --kv-dtype TYPE     f32, bf16 or int8: how keys and values are held (f32)`

const flags = {
  tokens: { type: 'string' },
  temperature: { type: 'string' },
  seed: { type: 'string' },
  ...modelFlags,
} as const

export const runModel: Command = {
  summary: 'continue a text with a Hugging Face folder or a GGUF file',
  async run(args, signal) {
    const parsed = parse(args, { usage, flags })
    if (parsed === undefined) return
    const { values, positionals } = parsed
    const [folder = '.', ...words] = positionals
    const maxTokens = integer(values.tokens, { name: 'tokens', low: 1, high: 1e6, otherwise: 200 })
    const seed = integer(values.seed, { name: 'seed', low: 0, high: 2 ** 31, otherwise: 0 })
    const model = modelOptions(values)
    const tokenizer = await loadTokenizer(folder)
    await using engine = await Engine.open({ folder, maxSequences: 1, ...model }, { signal })
    const prompt = tokenizer.encode(words.join(' '))
    const room = engine.model.maxPositions - prompt.length
    const request = {
      prompt,
      maxTokens: Math.min(maxTokens, room),
      sampling: { temperature: Number(values.temperature ?? 0.7), seed },
      stopTokens: [tokenizer.endOfText],
      scope: '',
    }
    const text = new TextStream(tokenizer)
    const start = performance.now()
    let tokens = 0
    process.stdout.write(words.join(' '))
    for await (const token of engine.generate(request, { signal })) {
      tokens += 1
      process.stdout.write(text.push(token))
    }
    process.stdout.write(`${text.end()}\n`)
    console.error(
      `bio: ${tokens} tokens, ${digits((tokens * 1000) / (performance.now() - start))} per second`,
    )
  },
}

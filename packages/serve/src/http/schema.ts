import { z } from 'zod'

const sampling = {
  model: z.string(),
  max_tokens: z.number().int().positive().optional(),
  temperature: z.number().min(0).max(2).default(1),
  top_p: z.number().gt(0).max(1).default(1),
  top_k: z.number().int().positive().optional(),
  seed: z.number().int().optional(),
  n: z.literal(1, 'only n = 1 is served').optional(),
  stop: z.union([z.string().min(1), z.array(z.string().min(1)).max(4)]).nullish(),
  stream: z.boolean().nullish(),
  stream_options: z.object({ include_usage: z.boolean().optional() }).nullish(),
  user: z.string().optional(),
  return_token_ids: z.boolean().optional(),
}

/** Body of `POST /v1/completions`; what is not named here is ignored, as OpenAI's servers do. */
export const completionBody: z.ZodType<CompletionBody> = z.object({
  ...sampling,
  prompt: z.union([z.string(), z.array(z.number().int().nonnegative()).min(1)]),
})

const textPart = z.object({ type: z.literal('text', 'only text parts are served'), text: z.string() })
const content = z.union([
  z.string(),
  z.array(textPart).transform((parts) => parts.map(({ text }) => text).join('')),
])

/** Body of `POST /v1/chat/completions`. */
export const chatBody: z.ZodType<ChatBody> = z.object({
  ...sampling,
  max_completion_tokens: z.number().int().positive().optional(),
  messages: z.array(z.object({ role: z.enum(['system', 'developer', 'user', 'assistant']), content })).min(1),
})

export interface SamplingBody {
  readonly model: string
  readonly max_tokens?: number | undefined
  readonly temperature: number
  readonly top_p: number
  readonly top_k?: number | undefined
  readonly seed?: number | undefined
  readonly stop?: string | string[] | null | undefined
  readonly stream?: boolean | null | undefined
  readonly stream_options?: { include_usage?: boolean | undefined } | null | undefined
  readonly user?: string | undefined
  readonly return_token_ids?: boolean | undefined
}
export interface CompletionBody extends SamplingBody {
  readonly prompt: string | number[]
}
export interface ChatBody extends SamplingBody {
  readonly max_completion_tokens?: number | undefined
  readonly messages: { role: string; content: string }[]
}

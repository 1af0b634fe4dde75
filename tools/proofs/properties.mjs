// Property tests, drawn many more times than in `npm test`.
import { setup } from '../setup.mjs'
import { prove } from './record.mjs'

const env = { BIO_SLOW: '1' }

/** 10,000 cases per tier of rows that do not know their neighbours, threads, pages or chunks. */
export function sameBits() {
  setup()
  prove('same bits', 'vitest', ['run', 'packages/kernels/src/native/same-bits'], { env })
}

/** Damaged files: GGUF, safetensors, and the JSON of Hugging Face folders. */
export function parsers() {
  prove('parsers', 'vitest', ['run', 'gguf/header', 'safetensors/damage', 'hugging-face/damage'], { env })
}

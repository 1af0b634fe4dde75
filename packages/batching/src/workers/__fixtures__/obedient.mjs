// Does what each input says: { do: 'echo', … } and so on. An input of another kind comes back as it is.
import { isMainThread, threadId } from 'node:worker_threads'

const kept = new Float32Array([1, 2, 3, 4, 5, 6])
let runs = 0

class OddError extends Error {
  name = 'OddError'
}

const orders = {
  value: ({ value }) => value,
  data: (_, { data }) => data,
  identity: () => ({ pid: process.pid, threadId, isMainThread, runs }),
  row: ({ row }) => kept.subarray(2 * row, 2 * row + 2),
  double: ({ view }) => view.map((value) => 2 * value),
  bytes: ({ view }) => ({ shown: view.byteLength, beneath: view.buffer.byteLength }),
  uncloneable: () => () => {},
  error: ({ message }) => Object.assign(new OddError(message), { code: 'E_ODD', detail: { row: 3 }, callback() {} }),
  typeError: () => new TypeError('item', { cause: new RangeError('deep') }),
  throw: () => {
    throw Object.assign(new OddError('thrown'), { code: 'E_ODD' })
  },
  throwValue: ({ value }) => {
    throw value
  },
  throwUncloneable: () => {
    throw () => {}
  },
  throwCycle: () => {
    const error = new Error('cycle')
    error.cause = error
    throw error
  },
  throwBio: () => {
    const fields = { code: 'ERR_BIO_MODEL', operation: 'model', expected: 'a', received: 'b', hint: 'Do c', retryAfterMs: 7 }
    throw Object.defineProperty(Object.assign(new Error('x'), fields), Symbol.for('@bio/errors/BioError'), { value: true })
  },
  hang: () => {
    for (;;);
  },
  wait: ({ ms }) => new Promise((resolve) => setTimeout(resolve, ms, 'waited')),
  untilAborted: (_, { signal }) =>
    new Promise((resolve) => signal.addEventListener('abort', () => resolve('aborted'))),
  exit: ({ code }) => process.exit(code),
  uncaught: () => {
    setTimeout(() => {
      throw new TypeError('nobody catches this')
    })
    return new Promise(() => {})
  },
  unhandled: () => {
    void Promise.reject(new TypeError('nobody handles this'))
    return new Promise(() => {})
  },
  exhaust: () => {
    const held = []
    for (;;) held.push(Array.from({ length: 1e5 }, Math.random))
  },
  segfault: () => process.kill(process.pid, 'SIGSEGV'),
  crashLater: () => void setTimeout(() => process.exit(9), 20),
}

export async function run(inputs, context) {
  runs += 1
  if (inputs[0]?.returns !== undefined) return inputs[0].returns
  return Promise.all(inputs.map((input) => (orders[input?.do] ?? (() => input))(input, context)))
}

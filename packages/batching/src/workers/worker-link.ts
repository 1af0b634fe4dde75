import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { serialize } from 'node:v8'
import { Worker } from 'node:worker_threads'
import { describe } from '../check.js'
import { ownCopy, toPost } from './crossing.js'
import type { FromWorker, ToWorker } from './messages.js'

/** How a worker ended. */
export interface WorkerEnd {
  /** `exit code 1`, `signal SIGSEGV`, `an uncaught TypeError: …` */
  readonly how: string
  readonly cause?: unknown
}

/** A worker thread or child process with an empty entry script: messages to it and from it, and its end. It starts unreferenced. */
export interface WorkerLink {
  /** Throws where the message cannot be cloned. */
  post(message: ToWorker): void
  /** Clones the way `post` does; throws where `post` would. */
  clone(value: unknown): unknown
  /** Whether the worker keeps this process alive. */
  ref(): void
  unref(): void
  /** Ends it without asking, whatever it does. */
  kill(): void
  readonly ended: Promise<WorkerEnd>
}

export type WorkerKind = 'thread' | 'process'

const entry = new URL('./worker-entry.js', import.meta.url)

export function openLink(kind: WorkerKind, onMessage: (message: FromWorker) => void): WorkerLink {
  return kind === 'thread' ? openThread(onMessage) : openProcess(onMessage)
}

function openThread(onMessage: (message: FromWorker) => void): WorkerLink {
  const worker = new Worker(entry, flags())
  worker.on('message', onMessage)
  worker.unref() // only now: listening references it
  let cause: unknown
  worker.on('error', (error: unknown) => (cause = error))
  worker.on('messageerror', (error) => {
    cause = error
    void worker.terminate()
  })
  const ended = new Promise<WorkerEnd>((resolve) => {
    worker.once('exit', (code) =>
      resolve(
        cause === undefined ? { how: `exit code ${code}` } : { how: `an uncaught ${nameOf(cause)}`, cause },
      ),
    )
  })
  return {
    post: (message) => {
      if (message.type !== 'run') return worker.postMessage(message)
      const { values, transfer } = toPost(message.inputs)
      worker.postMessage({ ...message, inputs: values }, transfer)
    },
    clone: structuredClone,
    ref: () => worker.ref(),
    unref: () => worker.unref(),
    kill: () => void worker.terminate(),
    ended,
  }
}

function openProcess(onMessage: (message: FromWorker) => void): WorkerLink {
  const child = fork(fileURLToPath(entry), [], {
    serialization: 'advanced',
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    ...flags(),
  })
  child.on('message', (message) => onMessage(withOwnOutputs(message as unknown as FromWorker)))
  const unref = (): void => {
    child.unref()
    child.channel?.unref()
  }
  unref()
  const ended = new Promise<WorkerEnd>((resolve) => {
    child.once('exit', (code, signal) =>
      resolve({ how: signal === null ? `exit code ${code}` : `signal ${signal}` }),
    )
    child.on('error', (cause) => {
      if (child.pid === undefined) resolve({ how: cause.message, cause }) // it never was; other errors are followed by its exit
    })
  })
  return {
    // What can no longer be sent is answered by the exit that follows.
    post: (message) => void child.send(message, () => {}),
    clone: serialize,
    ref: () => {
      child.ref()
      child.channel?.ref()
    },
    unref,
    kill: () => void child.kill('SIGKILL'),
    ended,
  }
}

/** Typed arrays come as views of the whole message: no request's output shall keep, or show, those of its neighbours. */
function withOwnOutputs(message: FromWorker): FromWorker {
  if (message?.type !== 'done' || !Array.isArray(message.outputs)) return message
  return { ...message, outputs: message.outputs.map(ownCopy) }
}

/** A program given on the command line (`node --input-type=module -e …`) runs under flags with which no file can start. */
function flags(): { readonly execArgv?: string[] } {
  return process.execArgv.some((flag) => flag.startsWith('--input-type')) ? { execArgv: [] } : {}
}

function nameOf(thrown: unknown): string {
  return thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : describe(thrown)
}

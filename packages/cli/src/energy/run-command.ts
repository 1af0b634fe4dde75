import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { BioError } from '@bio/errors'

/** How a command ended: its exit code as a shell would give it, 128 + n for signal n. */
export interface Ending {
  readonly exitCode: number
  readonly signal: NodeJS.Signals | null
}

/** Where signals for this process come from; `process` is one. */
export interface SignalSource {
  on(name: NodeJS.Signals, listener: (name: NodeJS.Signals) => void): unknown
  off(name: NodeJS.Signals, listener: (name: NodeJS.Signals) => void): unknown
}

const always = ['SIGTERM', 'SIGHUP', 'SIGUSR2'] as const
/** A terminal sends these to the command itself as well: forwarded, they would come twice. */
const ofTerminal = ['SIGINT', 'SIGQUIT'] as const

/**
 * Runs a command on this process's own input and output, forwards signals to it, and resolves when it has ended, however it did. Rejects with
 * `ERR_BIO_COMMAND` when it cannot be started.
 */
export function runCommand(
  [file = '', ...args]: readonly string[],
  {
    signals = process,
    environment = process.env,
    terminal = [process.stdin, process.stdout, process.stderr].some(({ isTTY }) => isTTY),
  }: { signals?: SignalSource; environment?: NodeJS.ProcessEnv; terminal?: boolean } = {},
): Promise<Ending> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { stdio: 'inherit', env: environment })
    const forward = (name: NodeJS.Signals): void => void child.kill(name)
    const hear = (): void => {}
    for (const name of always) signals.on(name, forward)
    for (const name of ofTerminal) signals.on(name, terminal ? hear : forward)
    const settle = (): void => {
      for (const name of always) signals.off(name, forward)
      for (const name of ofTerminal) signals.off(name, terminal ? hear : forward)
    }
    child.once('error', (cause) => {
      if (child.pid !== undefined) return // a signal that could not be sent; the command still runs
      settle()
      reject(
        new BioError('ERR_BIO_COMMAND', {
          operation: 'bio energy',
          expected: 'a command that can be started',
          received: `${file} (${(cause as NodeJS.ErrnoException).code ?? cause.message})`,
          cause,
        }),
      )
    })
    child.once('exit', (code, signal) => {
      settle()
      resolve({ exitCode: signal === null ? (code ?? 0) : 128 + constants.signals[signal], signal })
    })
  })
}

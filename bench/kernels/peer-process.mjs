// The Python peers, in one child process that lives as long as the bench and answers JSON lines (see peers/server.py).
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const here = (path) => fileURLToPath(new URL(path, import.meta.url))

export class PeerProcess {
  #python
  #folder
  #pool
  #child
  #lines
  #complaints = ''

  /** Without a Python environment (`python` undefined) every peer is skipped, with its line. */
  constructor(python, noise) {
    this.#python = python
    if (python === undefined) return
    this.#folder = mkdtempSync(join(tmpdir(), 'bio-bench-'))
    this.#pool = join(this.#folder, 'noise')
    noise.write(this.#pool)
    this.#start()
  }

  #start() {
    const env = {
      ...process.env,
      BIO_BENCH_GGML: here('./node_modules/@node-llama-cpp/linux-x64/bins/linux-x64'),
    }
    // OpenBLAS shall choose its kernels by the machine, whatever the caller's environment forces on it.
    for (const name of ['OPENBLAS_CORETYPE', 'OPENBLAS_L2_SIZE']) delete env[name]
    this.#child = spawn(this.#python, [here('./peers/server.py'), this.#pool], {
      env,
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    this.#child.stdin.on('error', () => {}) // it ended: the next answer says so
    this.#child.stderr.on('data', (text) => (this.#complaints = `${this.#complaints}${text}`.slice(-2000)))
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]()
  }

  /** One contender, `family.case` as in peers/; undefined after a line that says why it is skipped. */
  async open(peer, settings) {
    if (this.#python === undefined) return skipped(peer, 'no Python environment')
    const answer = await this.#ask({ operation: 'open', peer, settings })
    if (answer.error !== undefined) return skipped(peer, answer.error)
    const { handle, name, version } = answer
    return {
      name,
      version,
      time: async (count) => (await this.#demand({ operation: 'time', handle, count })).seconds,
      sample: (indices) => this.#demand({ operation: 'sample', handle, indices }),
      close: () => this.#ask({ operation: 'close', handle }),
    }
  }

  /** This process and that of the peers, if they have one. */
  processes() {
    return [process.pid, this.#child?.pid].filter((pid) => pid !== undefined)
  }

  async #demand(request) {
    const answer = await this.#ask(request)
    if (answer.error !== undefined) throw new Error(`the peers' process: ${answer.error}`)
    return answer
  }

  async #ask(request) {
    this.#child.stdin.write(`${JSON.stringify(request)}\n`)
    const { value, done } = await this.#lines.next()
    if (!done) return JSON.parse(value)
    // A native library took the process with it: the next case gets a new one.
    const last = this.#complaints.trim().split('\n').at(-1)
    this.#start()
    return { error: `the process ended (${last})` }
  }

  close() {
    this.#child?.kill()
    if (this.#folder !== undefined) rmSync(this.#folder, { recursive: true, maxRetries: 5 })
  }
}

function skipped(peer, why) {
  console.log(`skipped: ${peer} (${why})`)
  return undefined
}

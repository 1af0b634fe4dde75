import { spawnSync } from 'node:child_process'
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** What a fake GPU answers; a value `!15` is an error code, `@300` as energy counts 300 W of real time. */
export type FakeGpu = Readonly<Record<string, string | number>>

/** A library built from `fake-nvml.c` in a folder of its own, and the file that says what it answers. */
export class FakeLibrary implements Disposable {
  readonly folder: string
  readonly path: string

  private constructor(folder: string) {
    this.folder = folder
    this.path = join(folder, 'libnvidia-ml.so.1')
  }

  /** Undefined, after a line that says so, where there is no C compiler or no Linux. */
  static build(): FakeLibrary | undefined {
    const fake = new FakeLibrary(mkdtempSync(join(tmpdir(), 'bio-nvml-')))
    const source = fileURLToPath(new URL('fake-nvml.c', import.meta.url))
    const { status, error, stderr } = spawnSync('cc', ['-shared', '-fPIC', '-O1', '-o', fake.path, source])
    if (process.platform === 'linux' && status === 0) return fake
    console.log(`skipped: no fake NVML (${error?.message ?? (stderr.toString().split('\n')[0] || process.platform)})`)
    fake[Symbol.dispose]()
    return undefined
  }

  /** Sets what the library answers from now on. */
  answer(gpus: readonly FakeGpu[], rest: readonly string[] = []): void {
    const lines = gpus.map((gpu, index) => {
      const fields = Object.entries({ name: `Fake-${index}`, ...gpu }).map(([key, value]) => `${key}=${value}`)
      return `gpu ${index} ${fields.join(' ')}`
    })
    // The library reads the file at any moment: it is replaced, never half written.
    const path = join(this.folder, 'answers')
    writeFileSync(`${path}.new`, [...rest, ...lines, ''].join('\n'))
    renameSync(`${path}.new`, path)
    process.env['FAKE_NVML'] = path
  }

  [Symbol.dispose](): void {
    delete process.env['FAKE_NVML']
    rmSync(this.folder, { recursive: true, force: true })
  }
}

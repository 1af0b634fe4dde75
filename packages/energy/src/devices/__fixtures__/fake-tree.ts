import type { PowercapFiles } from '../../powercap/powercap-files.js'
import type { EnergyAccount, EnergySource } from '../../source.js'

/** Files in memory, with a clock, that tests break at will. */
export class FakeTree implements PowercapFiles {
  /** Seconds. */
  time = 100
  readonly #files = new Map<string, string | number | NodeJS.ErrnoException>()

  /** Sets files of a folder. */
  set(folder: string, files: Readonly<Record<string, string | number | NodeJS.ErrnoException>>): this {
    for (const [name, content] of Object.entries(files)) this.#files.set(`${folder}/${name}`, content)
    return this
  }

  list(folder: string): string[] {
    const inside = [...this.#files.keys()].filter((path) => path.startsWith(`${folder}/`))
    if (inside.length === 0) throw systemError('ENOENT')
    return [...new Set(inside.map((path) => path.slice(folder.length + 1).split('/')[0]!))]
  }

  read(path: string): string {
    const content = this.#files.get(path)
    if (content === undefined) throw systemError('ENOENT')
    if (content instanceof Error) throw content
    return `${content}\n`
  }
}

/** The error that Node gives for a failed system call. */
export function systemError(code: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: simulated`), { code })
}

/** The account of a source that must be usable, without its timer: tests sample by hand. */
export async function accountOf(source: EnergySource): Promise<EnergyAccount> {
  const opening = await source.open()
  if (!opening.usable) throw new Error(opening.reasons.join('; '))
  opening.account.close?.()
  return opening.account
}

/** Lets time pass with a sample every 50 ms. */
export function pass(tree: FakeTree, account: EnergyAccount, seconds: number, step?: () => void): void {
  for (let left = Math.round(seconds / 0.05); left > 0; left--) {
    tree.time += 0.05
    step?.()
    account.sample()
  }
}

import type { PowercapFiles } from '../powercap-files.js'

/** What a fake file holds: text, or the error that reading it gives. */
type Content = string | number | NodeJS.ErrnoException

/** 2³² − 1 units of 2⁻¹⁴ J, in µJ: the range of most Intel and AMD packages. */
export const usualRange = 262_143_328_850

/** A powercap tree in memory, with a clock, that tests break at will. */
export class FakePowercap implements PowercapFiles {
  readonly root: string = '/powercap'
  /** Seconds. */
  time = 100
  readonly #files = new Map<string, Content>()

  /** Adds a zone such as `intel-rapl:0`, and returns this. */
  zone(folder: string, name: string, options: { energy?: Content; range?: Content; limits?: number[] } = {}): this {
    const { energy = 1e9, range = usualRange, limits = [] } = options
    this.set(folder, 'name', `${name}\n`)
    this.set(folder, 'max_energy_range_uj', range)
    this.set(folder, 'energy_uj', energy)
    limits.forEach((watts, index) => this.set(folder, `constraint_${index}_power_limit_uw`, watts * 1e6))
    return this
  }

  set(folder: string, file: string, content: Content): void {
    this.#files.set(`${this.root}/${folder}/${file}`, content)
  }

  /** Takes one file out of a zone, and returns this. */
  without(folder: string, file: string): this {
    this.#files.delete(`${this.root}/${folder}/${file}`)
    return this
  }

  /** Sets the counter of a zone, in µJ. */
  energy(folder: string, content: Content): void {
    this.set(folder, 'energy_uj', content)
  }

  /** Lets the time pass while a zone draws `watts`, its counter wrapping as the hardware's does. */
  pass(seconds: number, watts: Readonly<Record<string, number>>): void {
    this.time += seconds
    for (const [folder, power] of Object.entries(watts)) {
      const unit = usualRange / (2 ** 32 - 1)
      const before = Number(this.#files.get(`${this.root}/${folder}/energy_uj`))
      this.energy(folder, Math.floor((before + power * seconds * 1e6) % (usualRange + unit)))
    }
  }

  remove(folder: string): void {
    for (const path of this.#files.keys()) {
      if (path.startsWith(`${this.root}/${folder}/`)) this.#files.delete(path)
    }
  }

  list(folder: string): string[] {
    if (folder !== this.root) throw systemError('ENOENT')
    const folders = [...this.#files.keys()].map((path) => path.split('/')[2]!)
    return [...new Set(['intel-rapl', 'dtpm', ...folders])]
  }

  read(path: string): string {
    const content = this.#files.get(path)
    if (content === undefined) throw systemError('ENOENT')
    if (content instanceof Error) throw content
    return typeof content === 'number' ? `${content}\n` : content
  }
}

/** The error that Node gives for a failed system call. */
export function systemError(code: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: simulated`), { code })
}

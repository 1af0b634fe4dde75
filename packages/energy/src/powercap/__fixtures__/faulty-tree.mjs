// A powercap tree of real files whose counters run in real time, and break. Laid out as Linux lays it out: the zones nested in a folder
// of devices, and flat links to them under `class`. Files are replaced, never half written.
import { chmodSync, mkdirSync, readlinkSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** Joules: 2³² − 1 units of 2⁻¹⁴ J, the range of most packages, in µJ. */
export const usualRange = 262_143_328_850
const unit = usualRange / (2 ** 32 - 1)

/** A write every so often: real counters move every millisecond, and a meter may take 100 ms without any for a fault. */
const tickSeconds = 0.01

export class FaultyTree {
  /** `[seconds of the monotonic clock, joules of the packages, joules of the DRAM]`: what was truly used. */
  log = []
  /** The longest that the counters stood still because this process was held up, in seconds. */
  worstGap = 0
  #root
  #zones = new Map()

  /** `pace` below 1 shortens every phase, and the ranges of counters with them. */
  constructor(root, pace) {
    this.#root = root
    this.pace = pace
    mkdirSync(join(root, 'class'), { recursive: true })
  }

  /** Adds a zone; `part` says what its energy is (`package`, `dram`, or none of the total: `core`, a mirror, psys beside packages). */
  zone(folder, name, { part, watts = 100, energy = 1e9, range = usualRange, limit, still = false } = {}) {
    const [interfaceName] = folder.split(':')
    const parent = folder.split(':').length === 3 ? [folder.slice(0, folder.lastIndexOf(':'))] : []
    const path = join(this.#root, 'devices', interfaceName, ...parent, folder)
    mkdirSync(path, { recursive: true })
    this.#link(join('devices', interfaceName), interfaceName)
    this.#link(path.slice(this.#root.length + 1), folder)
    const zone = { path, part, watts, energy, range, still, shown: undefined, used: 0 }
    this.#zones.set(folder, zone)
    this.write(folder, 'name', `${name}\n`)
    this.write(folder, 'max_energy_range_uj', `${range}\n`)
    if (limit !== undefined) this.write(folder, 'constraint_0_power_limit_uw', `${limit * 1e6}\n`)
    this.#show(zone)
    return this
  }

  /** Writes a file of a zone. */
  write(folder, file, text) {
    const path = join(this.#zones.get(folder).path, file)
    writeFileSync(`${path}.new`, text)
    renameSync(`${path}.new`, path)
  }

  /** Lets the counters run for `seconds` of the pace. */
  async run(seconds) {
    const end = monotonic() + seconds * this.pace
    while (monotonic() < end) {
      this.tick()
      await new Promise((tick) => setTimeout(tick, tickSeconds * 1000))
    }
  }

  tick() {
    const now = monotonic()
    const [last] = this.log.at(-1) ?? [now]
    this.worstGap = Math.max(this.worstGap, now - last)
    const used = { package: 0, dram: 0 }
    for (const zone of this.#zones.values()) {
      const joules = zone.watts * (now - last)
      zone.used += joules
      if (zone.part !== undefined) used[zone.part] += zone.used
      if (!zone.still) zone.energy = (zone.energy + joules * 1e6) % (zone.range + unit)
      if (zone.shown === undefined) this.#show(zone)
    }
    this.log.push([now, used.package, used.dram])
  }

  /** From now on the counter's file holds this text, whatever the counter does; undefined: the counter again. */
  hold(folder, text) {
    const zone = this.#zones.get(folder)
    zone.shown = text
    if (text === undefined) this.#show(zone)
    else this.write(folder, 'energy_uj', text)
  }

  /** From now on every read fails: a file that can only be written, whose reads give EINVAL to root. */
  failReads(folder) {
    const zone = this.#zones.get(folder)
    zone.shown = 'EINVAL'
    const path = join(zone.path, 'energy_uj')
    rmSync(path, { force: true })
    symlinkSync('/proc/self/clear_refs', path)
  }

  /** From now on nobody may read it, this process aside. */
  forbid(folder) {
    const zone = this.#zones.get(folder)
    zone.shown = 'EACCES'
    chmodSync(join(zone.path, 'energy_uj'), 0o000)
  }

  /** The whole tree, as on a machine without the driver. */
  vanish() {
    rmSync(join(this.#root, 'class'), { recursive: true })
  }

  remove(folder) {
    const zone = this.#zones.get(folder)
    zone.shown = 'removed'
    rmSync(join(zone.path, 'energy_uj'))
  }

  /** Moves the counter by so many joules that nobody used, or sets it. */
  jump(folder, joules) {
    const zone = this.#zones.get(folder)
    zone.energy = Math.max(0, zone.energy + joules * 1e6)
    this.#show(zone)
  }

  /** The counter stops, the hardware does not. */
  freeze(folder) {
    this.#zones.get(folder).still = true
  }

  /** The counter goes its own way from now on: its power, in watts. */
  draw(folder, watts, part) {
    Object.assign(this.#zones.get(folder), { watts, part, used: 0 })
  }

  #show({ path, energy }) {
    const file = join(path, 'energy_uj')
    writeFileSync(`${file}.new`, `${Math.floor(energy)}\n`)
    renameSync(`${file}.new`, file)
  }

  #link(target, name) {
    const link = join(this.#root, 'class', name)
    try {
      readlinkSync(link)
    } catch {
      symlinkSync(join('..', target), link)
      if (!name.includes(':')) symlinkSync(join(dirname(link)), join(this.#root, target, 'subsystem'))
    }
  }
}

/** Seconds of the clock that every process of the machine shares. */
export function monotonic() {
  return Number(process.hrtime.bigint()) / 1e9
}

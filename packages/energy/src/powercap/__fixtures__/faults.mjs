// What can go wrong with the counters of a CPU. Each fault sets up a tree and breaks it while it is measured; what was truly used is
// always known. `needs`: `root` (reads that give EINVAL), `drop` (a meter that runs as root without its right to read everything).
import { usualRange } from './faulty-tree.mjs'

const first = 'intel-rapl:0'
const second = 'intel-rapl:1'
const one = (tree) => tree.zone(first, 'package-0', { part: 'package' })
const two = (tree) => one(tree).zone(second, 'package-1', { part: 'package', watts: 60, energy: 7e9 })
const steady = (tree) => tree.run(2.4)

/** Something breaks midway and stays so. */
const midway = (breakIt) => ({
  setUp: one,
  async play(tree) {
    await tree.run(1.2)
    breakIt(tree)
    await tree.run(1.2)
  },
})

/** Something breaks for a moment. */
const moment = (breakIt, mend = (tree) => tree.hold(first, undefined)) => ({
  setUp: one,
  async play(tree) {
    await tree.run(0.8)
    breakIt(tree)
    await tree.run(0.4)
    mend(tree)
    await tree.run(1.2)
  },
})

/** Something is broken before anybody looks. */
const from = (setUp, rest = {}) => ({ setUp, play: steady, ...rest })

/** `known`: the counters still tell the truth to who reads them well; else nobody can know it. */
export const faults = {
  'none: one package': { known: true, ...from(one) },
  'none: two packages and their DRAM': {
    known: true,
    ...from((tree) =>
      two(tree)
        .zone('intel-rapl:0:0', 'dram', { part: 'dram', watts: 6 })
        .zone('intel-rapl:1:0', 'dram', { part: 'dram', watts: 4 }),
    ),
  },
  'psys, package, core, uncore and DRAM, one within the other': {
    known: true,
    ...from((tree) =>
      one(tree)
        .zone('intel-rapl:0:0', 'core', { watts: 70 })
        .zone('intel-rapl:0:1', 'uncore', { watts: 10 })
        .zone('intel-rapl:0:2', 'dram', { part: 'dram', watts: 6 })
        .zone(second, 'psys', { watts: 150 }),
    ),
  },
  'AMD: a package with its cores': { known: true, ...from((tree) => one(tree).zone('intel-rapl:0:0', 'core', { watts: 50 })) },
  'psys alone': { known: true, ...from((tree) => tree.zone(first, 'psys', { part: 'package' })) },
  'MMIO shows the package again': { known: true, ...from((tree) => one(tree).zone('intel-rapl-mmio:0', 'package-0')) },
  'MMIO alone': { known: true, ...from((tree) => tree.zone('intel-rapl-mmio:0', 'package-0', { part: 'package' })) },
  'two dies mirror one counter': {
    known: true,
    ...from((tree) => tree.zone(first, 'package-0-die-0', { part: 'package' }).zone(second, 'package-0-die-1')),
  },
  'two dies with counters of their own': {
    known: true,
    ...from((tree) =>
      tree
        .zone(first, 'package-0-die-0', { part: 'package' })
        .zone(second, 'package-0-die-1', { part: 'package', watts: 60, energy: 9e9 }),
    ),
  },
  'two sockets that agree to the last digit': {
    known: true,
    ...from((tree) => one(tree).zone(second, 'package-1', { part: 'package' })),
  },
  'packages numbered otherwise than their zones': {
    known: true,
    ...from((tree) =>
      tree
        .zone(first, 'package-1', { part: 'package' })
        .zone(second, 'package-0', { part: 'package', watts: 60, energy: 9e9 }),
    ),
  },
  'one wrap, or two': {
    known: true,
    setUp: (tree) => tree.zone(first, 'package-0', { part: 'package', range: 300e6 * tree.pace, energy: 0, limit: 300 }),
    play: (tree) => tree.run(3.2),
  },
  'a wrap in each of two packages': {
    known: true,
    setUp: (tree) => {
      const part = { part: 'package', range: 300e6 * tree.pace, limit: 300 }
      tree.zone(first, 'package-0', { ...part, energy: 0 }).zone(second, 'package-1', { ...part, energy: 150e6 * tree.pace })
    },
    play: (tree) => tree.run(3.2),
  },
  'several wraps': {
    known: true,
    setUp: (tree) => tree.zone(first, 'package-0', { part: 'package', range: 150e6 * tree.pace, energy: 0, limit: 300 }),
    play: (tree) => tree.run(4.8),
  },
  'EINVAL for a moment': { known: true, needs: 'root', ...moment((tree) => tree.failReads(first)) },
  'words for a moment': { known: true, ...moment((tree) => tree.hold(first, '<busy>\n')) },
  'an empty file for a moment': { known: true, ...moment((tree) => tree.hold(first, '')) },
  'the zone vanishes and returns': { known: true, ...moment((tree) => tree.remove(first)) },
  'DRAM that cannot be read': {
    known: true,
    needs: 'root',
    ...from((tree) => one(tree).zone('intel-rapl:0:0', 'dram').failReads('intel-rapl:0:0')),
  },
  'DRAM that never moves': {
    known: true,
    ...from((tree) => one(tree).zone('intel-rapl:0:0', 'dram', { energy: 0, watts: 0 })),
  },
  'a reset': midway((tree) => tree.jump(first, -1000)),
  'a reset of one of two packages': {
    ...midway((tree) => tree.jump(second, -7000)),
    setUp: two,
  },
  'a counter that goes back by 5 J': midway((tree) => tree.jump(first, -5)),
  'a jump of 100 kJ': midway((tree) => tree.jump(first, 100_000)),
  'a counter that stops': midway((tree) => tree.freeze(first)),
  'a counter that never moves': from((tree) => one(tree).freeze(first)),
  'EINVAL to the end': { needs: 'root', ...midway((tree) => tree.failReads(first)) },
  'EACCES to the end': { needs: 'drop', ...midway((tree) => tree.forbid(first)) },
  'words to the end': midway((tree) => tree.hold(first, '<busy>\n')),
  'a number with an exponent to the end': midway((tree) => tree.hold(first, '1e9\n')),
  'a negative number to the end': midway((tree) => tree.hold(first, '-5\n')),
  'an empty file to the end': midway((tree) => tree.hold(first, '')),
  'a sentinel to the end (2⁶⁴ − 1)': midway((tree) => tree.hold(first, '18446744073709551615\n')),
  'a value beyond the range to the end': midway((tree) => tree.hold(first, `${usualRange + 1e9}\n`)),
  'the zone vanishes': midway((tree) => tree.remove(first)),
  'dies that only seemed to mirror part': {
    setUp: (tree) =>
      tree.zone(first, 'package-0-die-0', { part: 'package' }).zone(second, 'package-0-die-1'),
    async play(tree) {
      await tree.run(1.2)
      tree.draw(second, 20, 'package')
      await tree.run(1.2)
    },
  },
  'no tree': from((tree) => one(tree).vanish()),
  'a tree without zones': from((tree) => tree.zone(first, 'core', { part: 'package' })),
  'EACCES from the beginning': { needs: 'drop', ...from((tree) => one(tree).forbid(first)) },
  'EINVAL from the beginning': { needs: 'root', ...from((tree) => one(tree).failReads(first)) },
  'words from the beginning': from((tree) => one(tree).hold(first, 'N/A\n')),
  'a sentinel from the beginning': from((tree) => one(tree).hold(first, '18446744073709551615\n')),
  'one of two packages cannot be read': { needs: 'root', ...from((tree) => two(tree).failReads(second)) },
  'one of two packages has no range': from((tree) => two(tree).write(second, 'max_energy_range_uj', '0\n')),
  'a range of words': from((tree) => one(tree).write(first, 'max_energy_range_uj', 'much\n')),
}

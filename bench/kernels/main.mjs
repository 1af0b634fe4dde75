// `npm run bench -- kernels [--json FILE] [--quick] [--only PART]`
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { machine, machineLine } from '../lib/machine.mjs'
import { benchOptions } from '../lib/options.mjs'
import { printRows, writeRows } from '../lib/rows.mjs'
import { betweenProbes } from './limits.mjs'
import { Noise } from './noise.mjs'
import { PeerProcess } from './peer-process.mjs'

const unprinted = new Set([
  'better',
  'repetitions',
  'pinned',
  'limitMoved',
  'distinctLayers',
  'bitsPerWeight',
])
const parts = [
  'gemm',
  'int8',
  'int4',
  'experts',
  'sparse',
  'attention',
  'training',
  'javascript',
  'neighbour',
]
const options = benchOptions({ parts })
const here = machine()
const { getKernels } = await module('../../packages/kernels/dist/index.js')
const kernels = getKernels()
const chosen = []
for (const name of parts.filter(options.runs))
  chosen.push([name, (await module(`./parts/${name}.mjs`))[`${name}Part`]])
const profile = measuredProfile()
console.log(machineLine(here))
console.log(`${kernels.backend} kernels, ${kernels.isa}, ${profile}`)

if (kernels.backend !== 'native') {
  console.log('skipped: the bench (there are no native kernels to measure)')
  process.exit(0)
}

const noise = new Noise()
const peers = new PeerProcess(process.env.BIO_BENCH_PYTHON, noise)
const bench = { kernels, noise, peers, quick: options.quick, repetitions: options.quick ? 7 : 30 }
const cores = kernels.threads
const rows = []
try {
  for (const [name, part] of chosen) {
    const start = performance.now()
    console.log(`\n${name}`)
    const measured = await betweenProbes(kernels, name, async () => {
      const made = await part(bench)
      kernels.setThreads(cores)
      return made
    })
    print(
      name,
      measured.filter(({ kernel }) => !kernel.startsWith('limit:')),
    )
    console.log(`${name}: ${((performance.now() - start) / 1000).toFixed(0)} s`)
    rows.push(...measured)
  }
} finally {
  peers.close()
}
const settings = { quick: options.quick, repetitions: bench.repetitions, isa: kernels.isa, profile }
writeRows(options.json, { bench: 'kernels', machine: here, settings, rows })

/** A module of this bench or of a package that it measures: each part needs only what it measures. */
async function module(file) {
  try {
    return await import(file)
  } catch (error) {
    if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error
    console.error(`${error.message.split(' imported from')[0]}: build it first, with npm run setup`)
    process.exit(1)
  }
}

/** The table leaves to the JSON what would make it too wide to read. Figures are bests, ratios are of bests; the last column is of medians. */
function print(name, measured) {
  const shown = measured.map((entry) => {
    const ratios = entry.peers
      .filter(({ version }) => version !== 'ours')
      .map(({ median }) => (entry.better === 'higher' ? entry.median / median : median / entry.median))
    const brief = Object.fromEntries(Object.entries(entry).filter(([field]) => !unprinted.has(field)))
    return ratios.length === 0 ? brief : { ...brief, leastRatioOfMedians: Math.min(...ratios) }
  })
  printRows(name, shown)
}

/** Which cargo profile built the addon in use: a bench of anything but `release` says so. */
function measuredProfile() {
  const root = new URL('../../', import.meta.url)
  const folder = new URL('packages/kernels/native/', root)
  if (!existsSync(folder)) return 'no addon of this checkout'
  const addons = readdirSync(folder)
    .filter((name) => name.endsWith('.node'))
    .map((name) => readFileSync(new URL(name, folder)))
  for (const built of ['release', 'dev-fast'])
    for (const library of ['libbio_node.so', 'libbio_node.dylib', 'bio_node.dll']) {
      const path = new URL(`target/${built}/${library}`, root)
      if (existsSync(path) && addons.some((addon) => addon.equals(readFileSync(path))))
        return `${built} build`
    }
  return 'of an unknown build'
}

// SPDX documents held against the official model, by the SPDX project's own Python bindings: no schema that this repository keeps.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import {
  createReading,
  createRunRecord,
  spdxDocument,
  unavailableReading,
} from '../../../packages/energy/dist/index.js'
import { printRows, row } from '../../lib/rows.mjs'

const check = fileURLToPath(new URL('../meters/spdx_check.py', import.meta.url))
const known = createReading({
  joules: 7.2e6,
  low: 7e6,
  high: 7.5e6,
  method: 'measured',
  source: 'rapl',
  domains: ['package-0'],
  seconds: 3600,
})
const unknown = unavailableReading({ source: 'rapl', seconds: 9, reasons: ['EACCES'] })

/** What the checker has to refuse, or its word is worth nothing: one word of a good document replaced. */
const mistakes = [
  ['"megajoule"', '"joule"'],
  ['"annotationType":"other",', ''],
  ['"software_primaryPurpose":"model"', '"software_primaryPurpose":"brain"'],
  ['"ai_energyQuantity":"7.2"', '"ai_energyQuantity":"7.2 MJ"'],
]

export async function documentsPart() {
  const python = process.env.BIO_BENCH_PYTHON
  if (python === undefined) console.log('skipped: SPDX documents (no Python environment)')
  if (python === undefined) return []
  const stages = ['training', 'fine-tuning', 'inference', 'other']
  const good = [known, unknown].flatMap((energy) => stages.map((stage) => write({ stage, energy })))
  const bad = mistakes.map(([from, to]) => {
    if (!good[0].includes(from)) throw new Error(`the document does not hold ${from}`)
    return good[0].replace(from, to)
  })
  const folder = mkdtempSync(join(tmpdir(), 'bio-documents-'))
  try {
    const paths = [...good, ...bad].map((text, index) => join(folder, `${index}.json`))
    for (const [index, path] of paths.entries()) writeFileSync(path, [...good, ...bad][index])
    const { status, stdout, stderr } = spawnSync(python, [check, ...paths], { encoding: 'utf8' })
    if (status !== 0) throw new Error(`the check of SPDX documents failed: ${stderr}`)
    const refusals = JSON.parse(stdout)
    for (const why of refusals.slice(0, good.length)) if (why !== null) console.log(`refused: ${why}`)
    const rows = [
      count('documents accepted', refusals.slice(0, good.length), (why) => why === null),
      count('mistakes refused', refusals.slice(good.length), (why) => why !== null),
    ]
    printRows('SPDX 3.0.1, by the official bindings', rows)
    return rows
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function count(what, all, holds) {
  const ours = all.filter(holds).length
  return row({
    subject: { part: 'documents', what },
    ours,
    unit: 'documents',
    better: 'higher',
    target: all.length,
  })
}

function write(phase) {
  const run = createRunRecord({
    model: { name: 'digits', version: '1.0.0' },
    publisher: 'Example',
    task: { family: 'image classification' },
    hardware: [{ kind: 'cpu', name: 'EPYC 7763', count: 1 }],
    software: [{ name: 'node', version: process.versions.node }],
    location: { country: 'DE' },
    startedAt: '2026-03-01T08:00:00Z',
    endedAt: '2026-03-01T09:00:00Z',
    phases: [{ name: 'run', ...phase }],
  })
  return JSON.stringify(
    spdxDocument(run, {
      license: 'Apache-2.0',
      downloadLocation: 'https://example.org/digits',
      releasedAt: '2026-03-02T09:00:00.500Z',
    }),
  )
}

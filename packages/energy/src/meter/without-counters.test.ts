import * as client from 'prom-client'
import { expect, test } from 'vitest'
import { runOf } from '../documents/__fixtures__/example-run.js'
import {
  boampsReport,
  cpuEstimateSource,
  cycloneDxDocument,
  EnergyMeter,
  formatReading,
  huggingFaceCard,
  modelDocumentationForm,
  openTelemetryEnergy,
  prometheusEnergy,
  raplSource,
  readingsToCsv,
  softwareCarbonIntensity,
  spdxDocument,
  type KnownReading,
  type Reading,
} from '../index.js'

/** A reading of this very machine, as a virtual machine without RAPL gives it. */
async function estimate(): Promise<KnownReading> {
  await using meter = await EnergyMeter.open({
    sources: [raplSource({ root: '/nowhere' }), cpuEstimateSource()],
  })
  const { energy } = await meter.measure(() => new Promise((resolve) => setTimeout(resolve, 20)))
  if (energy.joules === null) throw new Error(energy.reasons.join('; '))
  return energy
}

const prometheus = async (energy: Reading): Promise<string> => {
  const registry = new client.Registry()
  prometheusEnergy({ client, registry }).record(energy)
  return registry.metrics()
}

const openTelemetry = (energy: Reading): string => {
  const said: unknown[] = []
  const createCounter = (name: string) => ({
    add: (value: number, attributes: object) => void said.push({ name, value, ...attributes }),
  })
  openTelemetryEnergy({ createCounter }).record(energy)
  return JSON.stringify(said)
}

const document =
  (make: (run: ReturnType<typeof runOf>) => unknown) =>
  (energy: Reading): string => {
    const made = make(runOf([{ name: 'train', stage: 'training', energy }]))
    return typeof made === 'string' ? made : JSON.stringify(made)
  }
const date = '2026-03-02T00:00:00Z'

test.each<[string, (energy: Reading) => string | Promise<string>]>([
  ['one line of text', formatReading],
  ['JSON', (energy) => JSON.stringify(energy)],
  ['CSV', (energy) => readingsToCsv([{ label: 'a', energy }])],
  ['Prometheus', prometheus],
  ['OpenTelemetry', openTelemetry],
  [
    'SPDX',
    document((run) =>
      spdxDocument(run, { license: 'MIT', downloadLocation: 'https://example.org', releasedAt: date }),
    ),
  ],
  ['CycloneDX', document(cycloneDxDocument)],
  ['BoAmps', document((run) => boampsReport(run, { infrastructure: 'other', confidentiality: 'internal' }))],
  ['the Hugging Face card', document(huggingFaceCard)],
  [
    'SCI',
    document((run) =>
      softwareCarbonIntensity(run, { functionalUnit: { name: 'request', count: 1 }, embodiedGrams: 1 }),
    ),
  ],
  ['the AI Act’s form', document(modelDocumentationForm)],
])('without counters %s says estimated, never measured', async (_, write) => {
  const text = await write(await estimate())
  expect(text).toMatch(/estimated/i)
  expect(text).not.toMatch(/\bmethod\W+measured\b/i)
})

test('without counters the reading has its band, and says why it is no better', async () => {
  const { method, joules, low, high, reasons } = await estimate()
  expect(method).toBe('estimated')
  expect(low < joules && joules < high).toBe(true)
  expect(reasons.join()).toMatch(/no rapl: .*estimated from the CPU time of/)
  const csv = readingsToCsv([{ label: 'a', energy: await estimate() }])
  expect(csv).toContain('no rapl: ')
})

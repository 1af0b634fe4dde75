import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { addReadings } from '../reading/arithmetic.js'
import { createReading, unavailableReading, type Reading } from '../reading/reading.js'
import { fromKilowattHours, fromMegawattHours } from '../units.js'
import { runOf } from './__fixtures__/example-run.js'
import { boampsReport } from './boamps.js'
import { cycloneDxDocument } from './cyclonedx.js'
import { huggingFaceCard } from './hugging-face.js'
import { modelDocumentationForm } from './model-documentation-form.js'
import type { RunRecord } from './run-record.js'
import { softwareCarbonIntensity } from './software-carbon-intensity.js'
import { spdxDocument } from './spdx.js'

const microjoules = fc.integer({ min: 1, max: 1e14 }).map((count) => count / 1e6)
const known: fc.Arbitrary<Reading> = fc
  .record({
    bounds: fc.tuple(microjoules, microjoules, microjoules).map((values) => values.toSorted((a, b) => a - b)),
    method: fc.constantFrom('measured' as const, 'derived' as const, 'estimated' as const),
    domain: fc.constantFrom('package-0', 'gpu-0'),
  })
  .map(({ bounds: [low, joules, high], method, domain }) =>
    createReading({
      joules: joules!,
      low: low!,
      high: high!,
      method,
      source: 'x',
      domains: [domain],
      seconds: 5,
    }),
  )
const runWith = (energy: fc.Arbitrary<Reading>): fc.Arbitrary<RunRecord> =>
  fc.tuple(energy, energy).map(([train, serve]) =>
    runOf([
      { name: 'train', stage: 'training', energy: train },
      { name: 'serve', stage: 'inference', energy: serve },
    ]),
  )

const spdx = (run: RunRecord): object =>
  spdxDocument(run, {
    license: 'MIT',
    downloadLocation: 'https://example.org',
    releasedAt: '2026-03-02T00:00:00Z',
  })
const sci = (run: RunRecord): object =>
  softwareCarbonIntensity(run, { functionalUnit: { name: 'request', count: 1 }, embodiedGrams: 1 })
const each = (run: RunRecord): Reading[] => run.phases.map(({ energy }) => energy)

/** Each document with the readings that it states, and what a figure of energy looks like in it. */
const documents: Record<
  string,
  { text: (run: RunRecord) => string; states: (run: RunRecord) => Reading[]; figure: RegExp }
> = {
  SPDX: { text: (run) => JSON.stringify(spdx(run)), states: each, figure: /ai_energyConsumption/ },
  CycloneDX: {
    text: (run) => JSON.stringify(cycloneDxDocument(run)),
    states: each,
    figure: /activityEnergyCost|co2CostEquivalent/,
  },
  BoAmps: {
    text: (run) =>
      JSON.stringify(boampsReport(run, { infrastructure: 'other', confidentiality: 'internal' })),
    states: each,
    figure: /powerConsumption/,
  },
  'Hugging Face': {
    text: huggingFaceCard,
    states: (run) => each(run).slice(0, 1),
    figure: /^ {2}emissions:/m,
  },
  SCI: {
    text: (run) => JSON.stringify(sci(run)),
    states: (run) => [addReadings(each(run))],
    figure: /"(score|kilowattHours)":\{/,
  },
  'the Model Documentation Form': {
    text: (run) => JSON.stringify(modelDocumentationForm(run)),
    states: (run) => each(run).slice(0, 1),
    figure: /"unit":"MWh","value":"\d/,
  },
}

test.each(Object.entries(documents))(
  '%s names the run, the method and its bounds, and nothing is measured that was not',
  (_, { text, states, figure }) => {
    fc.assert(
      fc.property(runWith(known), (run) => {
        const document = text(run)
        expect(document).toContain(run.hash)
        expect(document).toMatch(figure)
        const stated = states(run)
        const methods = ['measured', 'derived', 'estimated'].map((method) => [
          document.match(new RegExp(`\\b${method}\\b`)) !== null,
          stated.some((reading) => reading.method === method),
        ])
        for (const [found, expected] of methods) expect(found).toBe(expected)
        for (const { low, high } of stated) {
          expect(document).toContain(String(low))
          expect(document).toContain(String(high))
        }
      }),
      { numRuns: 60 },
    )
  },
)

test.each(Object.entries(documents).filter(([name]) => name !== 'BoAmps'))(
  '%s has the reason and no figure, not 0, for energy that nobody knows',
  (_, { text, figure }) => {
    const energy = unavailableReading({ source: 'rapl', seconds: 5, reasons: ['EACCES'] })
    const document = text(
      runOf([
        { name: 'train', stage: 'training', energy },
        { name: 'serve', stage: 'inference', energy },
      ]),
    )
    expect(document).toContain('EACCES')
    expect(document).toMatch(/unavailable/i)
    expect(document).not.toMatch(figure)
  },
)

test('joules come back exactly from the kWh and megajoules of the documents', () => {
  fc.assert(
    fc.property(runWith(known), (run) => {
      const joules = run.phases.map(({ energy }) => energy.joules)
      const [component] = cycloneDxDocument(run).components as [any]
      const { energyConsumptions } = component.modelCard.considerations.environmentalConsiderations
      expect(energyConsumptions.map((one: any) => fromKilowattHours(one.activityEnergyCost.value))).toEqual(
        joules,
      )
      const measures = boampsReport(run, { infrastructure: 'other', confidentiality: 'internal' })
        .measures as any[]
      expect(measures.map((one) => fromKilowattHours(one.powerConsumption))).toEqual(joules)
      const quantities = [...JSON.stringify(spdx(run)).matchAll(/"ai_energyQuantity":"([\d.]+)"/g)]
      expect(quantities.map(([, megajoules]) => Number(`${megajoules}e6`))).toEqual(joules)
    }),
  )
})

test('the rounded figures of the form and the card hold the truth between their bounds', () => {
  fc.assert(
    fc.property(runWith(known), (run) => {
      const { energy } = run.phases[0]!
      const { value, methodology } = modelDocumentationForm(run).items.find(({ unit }) => unit === 'MWh')!
      const [, low, high] = /between ([\d.]+) and ([\d.]+) MWh/.exec(methodology)!.map(Number)
      expect(fromMegawattHours(low!)).toBeLessThanOrEqual(energy.low!)
      expect(fromMegawattHours(high!)).toBeGreaterThanOrEqual(energy.high!)
      expect(fromMegawattHours(Number(value)) / energy.joules!).toBeCloseTo(1, 2)
      const { emissions, source } = parse(huggingFaceCard(run).split('---\n')[1]!).co2_eq_emissions
      const [, from, to] = /: ([\d.]+) to ([\d.]+) g,/.exec(source)!.map(Number)
      expect(from).toBeLessThanOrEqual(emissions)
      expect(to).toBeGreaterThanOrEqual(emissions)
    }),
  )
})

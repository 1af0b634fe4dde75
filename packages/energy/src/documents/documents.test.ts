import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { unavailableReading } from '../reading/reading.js'
import {
  exampleFields,
  exampleRun,
  inferenceEnergy,
  runOf,
  trainingEnergy,
} from './__fixtures__/example-run.js'
import { boampsReport } from './boamps.js'
import { cycloneDxDocument } from './cyclonedx.js'
import { huggingFaceCard } from './hugging-face.js'
import { modelDocumentationForm } from './model-documentation-form.js'
import { createRunRecord, formatRunRecord } from './run-record.js'
import { softwareCarbonIntensity } from './software-carbon-intensity.js'
import { spdxDocument } from './spdx.js'

const unknown = unavailableReading({ source: 'rapl', seconds: 9, reasons: ['EACCES'] })
const withoutIntensity = createRunRecord(
  Object.fromEntries(
    Object.entries(exampleFields).filter(([key]) => key !== 'intensity'),
  ) as typeof exampleFields,
)
const sciOptions = { functionalUnit: { name: 'request', count: 50 }, embodiedGrams: 10 }

test('SPDX holds the joules exactly, as decimal megajoules of their stage', () => {
  const document = spdxDocument(exampleRun, {
    license: 'MIT',
    downloadLocation: 'https://example.org',
    releasedAt: '2026-03-02T00:00:00Z',
  })
  expect(JSON.stringify(document)).toContain('"ai_energyQuantity":"0.00055725"')
  expect(document['@graph']).toContainEqual(
    expect.objectContaining({
      type: 'ai_AIPackage',
      ai_energyConsumption: {
        type: 'ai_EnergyConsumption',
        ai_trainingEnergyConsumption: [
          { type: 'ai_EnergyConsumptionDescription', ai_energyQuantity: '7.2', ai_energyUnit: 'megajoule' },
        ],
        ai_inferenceEnergyConsumption: [
          {
            type: 'ai_EnergyConsumptionDescription',
            ai_energyQuantity: '0.00055725',
            ai_energyUnit: 'megajoule',
          },
        ],
      },
      comment: expect.stringMatching(/estimated by cpu-time.*no rapl: EACCES/),
    }),
  )
})

test.each(['yesterday', '', undefined])('SPDX refuses %o as the time of release', (releasedAt) => {
  const options = {
    license: 'MIT',
    downloadLocation: 'https://example.org',
    releasedAt: releasedAt as string,
  }
  expect(() => spdxDocument(exampleRun, options)).toThrow(expect.objectContaining({ code: 'ERR_BIO_VALUE' }))
})

test('CycloneDX has kWh, location-based tonnes, and market-based ones apart as a property', () => {
  const [component] = cycloneDxDocument(exampleRun).components as [any]
  const [train] = component.modelCard.considerations.environmentalConsiderations.energyConsumptions
  expect(train).toMatchObject({
    activity: 'training',
    activityEnergyCost: { value: 2, unit: 'kWh' },
    co2CostEquivalent: { value: (2 * 1.25 * 342) / 1e6, unit: 'tCO2eq' },
  })
  const property = (name: string): string =>
    train.properties.find((one: { name: string }) => one.name === `bio:energy:${name}`).value
  expect([property('method'), property('lowJoules'), property('highJoules')]).toEqual([
    'measured',
    '6800000',
    '7500000',
  ])
  expect(JSON.parse(property('carbon:market'))).toMatchObject({ expected: 30, basis: 'market' })
})

test('the same run gives the same documents, another run other identifiers', () => {
  expect(cycloneDxDocument(exampleRun)).toEqual(cycloneDxDocument(createRunRecord(exampleFields)))
  const { serialNumber } = cycloneDxDocument(exampleRun)
  expect(serialNumber).toMatch(
    /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
  )
  expect(cycloneDxDocument(withoutIntensity).serialNumber).not.toBe(serialNumber)
})

test('BoAmps grades by the widest bounds, and gives no grade beyond ±50 %', () => {
  const qualityOf = (low: number, high: number): unknown =>
    boampsReport(
      runOf([
        {
          name: 'a',
          stage: 'training',
          energy: { ...trainingEnergy, joules: 100, low: 99, high: 101 } as never,
        },
        { name: 'b', stage: 'training', energy: { ...trainingEnergy, joules: 100, low, high } as never },
      ]),
      { infrastructure: 'other', confidentiality: 'internal' },
    ).quality
  expect([qualityOf(100, 110), qualityOf(80, 101), qualityOf(60, 150), qualityOf(10, 300)]).toEqual([
    'high',
    'medium',
    'low',
    undefined,
  ])
  expect(
    boampsReport(exampleRun, { infrastructure: 'other', confidentiality: 'internal' }),
  ).not.toHaveProperty('quality')
})

test('BoAmps, which has no word for unknown, refuses energy that nobody knows', () => {
  const run = runOf([{ name: 'train', stage: 'training', energy: unknown }])
  expect(() => boampsReport(run, { infrastructure: 'other', confidentiality: 'internal' })).toThrow(
    'none of train: EACCES',
  )
})

test('a Hugging Face card parses as YAML, has the fields of the Hub, and grams of training alone', () => {
  const card = huggingFaceCard(exampleRun)
  const { co2_eq_emissions: fields } = parse(card.split('---\n')[1]!)
  expect(fields).toEqual({
    emissions: 2 * 1.25 * 342,
    source: expect.stringMatching(
      /805 to 1240 g, location-based, DE 2025 by Electricity Maps.*measured by rapl/,
    ),
    training_type: 'pre-training',
    geographical_location: 'Falkenstein, DE',
    hardware_used: '2 EPYC 7763',
  })
})

test.each([
  [
    'the energy is unknown',
    runOf([{ name: 't', stage: 'training', energy: unknown }]),
    'No emissions: the energy is unknown. Energy Unavailable: EACCES',
  ],
  [
    'nothing was trained',
    runOf([{ name: 's', stage: 'inference', energy: inferenceEnergy }]),
    'Nothing was trained',
  ],
  ['no intensity is known', withoutIntensity, 'the run names no carbon intensity'],
])('a Hugging Face card has no emissions when %s, and says so', (_, run, reason) => {
  const { co2_eq_emissions: fields } = parse(huggingFaceCard(run).split('---\n')[1]!)
  expect(fields).not.toHaveProperty('emissions')
  expect(fields.source).toContain(reason)
})

test('SCI is ((E · I) + M) / R, by the location alone', () => {
  const sci = softwareCarbonIntensity(exampleRun, sciOptions)
  const kilowattHours = ((7.2e6 + 557.25) / 3.6e6) * 1.25
  expect(sci.kilowattHours?.expected).toBeCloseTo(kilowattHours, 9)
  expect(sci.score?.expected).toBeCloseTo((kilowattHours * 342 + 10) / 50, 9)
  expect(sci.score?.low).toBeCloseTo((((6.8e6 + 136) / 3.6e6) * 1.25 * 341 + 10) / 50, 9)
  expect(sci).toMatchObject({ method: 'estimated', boundary: 'device', run: exampleRun.hash })
  const { market: _, ...location } = exampleFields.intensity!
  const withoutMarket = createRunRecord({ ...exampleFields, intensity: location })
  expect(softwareCarbonIntensity(withoutMarket, sciOptions).score).toEqual(sci.score)
})

test('SCI of unknown energy has no score', () => {
  const run = runOf([{ name: 'serve', stage: 'inference', energy: unknown }])
  expect(softwareCarbonIntensity(run, sciOptions)).toMatchObject({ score: null, kilowattHours: null })
})

test.each<[string, () => unknown]>([
  ['a run without an intensity', () => softwareCarbonIntensity(withoutIntensity, sciOptions)],
  [
    'no embodied grams',
    () => softwareCarbonIntensity(exampleRun, { ...sciOptions, embodiedGrams: undefined as never }),
  ],
  [
    'no unit',
    () => softwareCarbonIntensity(exampleRun, { ...sciOptions, functionalUnit: undefined as never }),
  ],
  [
    'a count of 0',
    () =>
      softwareCarbonIntensity(exampleRun, { ...sciOptions, functionalUnit: { name: 'request', count: 0 } }),
  ],
])('SCI refuses %s', (_, act) => {
  expect(act).toThrow(expect.objectContaining({ code: 'ERR_BIO_VALUE' }))
})

test('the Model Documentation Form has the items of 10 July 2025 on computation and energy', () => {
  const form = modelDocumentationForm(exampleRun)
  expect(form.version).toBe('2025-07-10')
  expect(form.obligation).toMatch(
    /Providers of general-purpose AI models.*53\(1\)\(a\).*53\(2\).*Deployers.*not obliged/,
  )
  expect(form.items.map(({ item, value, unit }) => [item, value, unit])).toEqual([
    ['Training time (wall clock)', '0.417', 'days'],
    ['Amount of computation used for training', '4.25e+15', 'FLOPs'],
    ['Amount of energy used for training', '0.00200', 'MWh'],
    ['Benchmarked amount of computation used for inference', '2.40e+11', 'FLOPs'],
  ])
  expect(form.items[2]!.methodology).toMatch(
    /is measured, between 0.00188 and 0.00209 MWh.*Article 53\(5\).*device: package-0, dram-0/,
  )
  expect(form.items[3]!.methodology).toMatch(/generating 100000 tokens.*2 × EPYC 7763/)
})

test('the form says N/A and why where nobody knows', () => {
  const form = modelDocumentationForm(
    runOf([
      { name: 'train', stage: 'training', energy: unknown },
      { name: 'tune', stage: 'fine-tuning', energy: trainingEnergy, counts: { flops: 1e12 } },
    ]),
  )
  expect(form.items.map(({ value }) => value)).toEqual(['0.417', 'N/A', 'N/A', 'N/A'])
  expect(form.items.map(({ methodology }) => methodology)).toEqual([
    expect.stringContaining('train, tune'),
    expect.stringContaining('Not every phase counted'),
    expect.stringContaining('Not known: Unavailable: EACCES'),
    expect.stringContaining('no such phase'),
  ])
})

const changed = { ...exampleRun, pue: 1 }
const sealed: readonly (readonly [string, () => unknown])[] = [
  ['SPDX', () => spdxDocument(changed, {} as never)],
  ['CycloneDX', () => cycloneDxDocument(changed)],
  ['BoAmps', () => boampsReport(changed, { infrastructure: 'other', confidentiality: 'internal' })],
  ['Hugging Face', () => huggingFaceCard(changed)],
  ['SCI', () => softwareCarbonIntensity(changed, sciOptions)],
  ['the form', () => modelDocumentationForm(changed)],
  ['a file', () => formatRunRecord(changed)],
]

test.each(sealed)('%s refuses a copy that was changed under the old hash', (_, act) => {
  expect(act).toThrow(
    expect.objectContaining({ code: 'ERR_BIO_VALUE', message: expect.stringMatching(/hash/) }),
  )
})

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { Ajv, type AnySchema, type ValidateFunction } from 'ajv'
import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import { expect, test } from 'vitest'
import { exampleRun, inferenceEnergy, runOf, trainingEnergy } from './__fixtures__/example-run.js'
import { unavailableReading } from '../reading/reading.js'
import { boampsReport } from './boamps.js'
import { cycloneDxDocument } from './cyclonedx.js'
import { spdxDocument, type SpdxOptions } from './spdx.js'

const read = (path: URL | string): AnySchema => JSON.parse(readFileSync(path, 'utf8'))
const fixture = (name: string): AnySchema => read(new URL(`__fixtures__/${name}`, import.meta.url))

/** The official schema, as the CycloneDX project's own library ships it. */
function cycloneDx(): ValidateFunction {
  const library = createRequire(import.meta.url).resolve('@cyclonedx/cyclonedx-library/package.json')
  const schema = (name: string): AnySchema =>
    read(library.replace('package.json', `res/schema/${name}.SNAPSHOT.schema.json`))
  const ajv = new Ajv({ strict: false })
  addFormats.default(ajv)
  ajv.addFormat('iri-reference', true).addFormat('idn-email', true)
  for (const name of ['spdx', 'jsf-0.82']) {
    ajv.addSchema(schema(name), `http://cyclonedx.org/schema/${name}.SNAPSHOT.schema.json`)
  }
  return ajv.compile(schema('bom-1.6'))
}

const validators = {
  spdx: new Ajv2020({ strict: false }).compile(fixture('spdx-3.0.1.json')),
  cycloneDx: cycloneDx(),
  boamps: new Ajv({ strict: false }).compile(fixture('boamps-1.1.0.json')),
}
const options: SpdxOptions = {
  license: 'Apache-2.0',
  downloadLocation: 'https://example.org/digits',
  releasedAt: '2026-03-02T09:00:00.500Z',
}

const unknown = unavailableReading({ source: 'rapl', seconds: 9, reasons: ['EACCES'] })
const runs = {
  'the example': exampleRun,
  'a fine-tuning': runOf([{ name: 'tune', stage: 'fine-tuning', energy: trainingEnergy }]),
  'an evaluation': runOf([{ name: 'check', stage: 'other', energy: inferenceEnergy }]),
  'several phases of one stage': runOf([
    { name: 'first', stage: 'training', energy: trainingEnergy },
    { name: 'second', stage: 'training', energy: inferenceEnergy },
  ]),
}
const withUnknown = runOf([
  { name: 'train', stage: 'training', energy: unknown },
  { name: 'serve', stage: 'inference', energy: inferenceEnergy },
])
const allUnknown = runOf([{ name: 'train', stage: 'training', energy: unknown }])

test.each(Object.entries({ ...runs, 'energy partly unknown': withUnknown, 'energy unknown': allUnknown }))(
  '%s passes the schemas of SPDX 3.0.1 and CycloneDX 1.6',
  (_, run) => {
    expect(validators.spdx(spdxDocument(run, options)) || validators.spdx.errors).toBe(true)
    expect(validators.cycloneDx(cycloneDxDocument(run)) || validators.cycloneDx.errors).toBe(true)
  },
)

test.each(Object.entries(runs))('%s passes the fields of BoAmps 1.1.0', (_, run) => {
  const report = boampsReport(run, { infrastructure: 'onPremise', confidentiality: 'public' })
  expect(validators.boamps(report) || validators.boamps.errors).toBe(true)
})

test('the schemas refuse what is not theirs', () => {
  const { spdx, cycloneDx: cdx, boamps } = validators
  const edit = (value: object, from: string, to: string): unknown => {
    const text = JSON.stringify(value)
    expect(text).toContain(from)
    return JSON.parse(text.replace(from, to))
  }
  const document = spdxDocument(exampleRun, options)
  expect(spdx(edit(document, '"megajoule"', '"joule"'))).toBe(false)
  expect(spdx(edit(document, '"ai_energyQuantity":"7.2"', '"ai_energyQuantity":"7.2 MJ"'))).toBe(false)
  expect(spdx(edit(document, '"annotationType":"other",', ''))).toBe(false)
  const bom = cycloneDxDocument(exampleRun)
  expect(cdx(edit(bom, '"unit":"kWh"', '"unit":"J"'))).toBe(false)
  expect(cdx(edit(bom, '"activity":"training",', ''))).toBe(false)
  const report = boampsReport(exampleRun, { infrastructure: 'other', confidentiality: 'internal' })
  expect(boamps(edit(report, '"taskFamily":', '"family":'))).toBe(false)
  expect(boamps(edit(report, '"powerConsumption":2', '"powerConsumption":"2"'))).toBe(false)
})

import { checkNumber } from '../check.js'
import { canonicalJson } from './canonical-json.js'
import { shiftDecimal } from './decimal-text.js'
import { describeEnergy, provenance, runUuid, wholeSeconds, type JsonObject } from './figures.js'
import { checkedRecord, type RunRecord, type Stage } from './run-record.js'

/** What the AI profile asks for and a run does not know. */
export interface SpdxOptions {
  /** An SPDX licence expression, such as `Apache-2.0`. */
  readonly license: string
  readonly downloadLocation: string
  /** ISO 8601. */
  readonly releasedAt: string
}

/** SPDX has no fourth: phases of another stage are in the annotation alone. */
const energyProperties: Partial<Record<Stage, string>> = {
  training: 'ai_trainingEnergyConsumption',
  'fine-tuning': 'ai_finetuningEnergyConsumption',
  inference: 'ai_inferenceEnergyConsumption',
}

/**
 * The model with its energy as an SPDX 3.0.1 document in JSON-LD, profiles AI, software and simple licensing.
 *
 * `ai_energyQuantity` is in megajoules as a decimal text: the joules exactly. SPDX has no place for method and bounds; they are in the
 * package's comment, and in full, as JSON, in an annotation of it. Energy that nobody knows has no quantity.
 *
 * @throws `ERR_BIO_VALUE` for a run whose hash is not its own, a release time that is none.
 */
export function spdxDocument(run: RunRecord, options: SpdxOptions): JsonObject {
  checkedRecord('spdxDocument', run)
  const { license, downloadLocation, releasedAt } = options
  checkNumber('spdxDocument', 'the time releasedAt', Date.parse(releasedAt))
  const id = (name: string): string => `urn:uuid:${runUuid(run)}#${name}`
  const creationInfo = '_:creation'
  const element = (type: string, name: string, fields: JsonObject): JsonObject => ({
    type,
    spdxId: id(name),
    creationInfo,
    ...fields,
  })
  const licensed = (relationshipType: string): JsonObject =>
    element('Relationship', relationshipType, { from: id('model'), relationshipType, to: [id('license')] })
  const elements = [
    element('Organization', 'publisher', { name: run.publisher }),
    element('Tool', 'tool', { name: '@bio/energy' }),
    element('simplelicensing_LicenseExpression', 'license', { simplelicensing_licenseExpression: license }),
    element('ai_AIPackage', 'model', {
      name: run.model.name,
      comment: run.phases
        .map(({ name, energy }) => `Energy of ${name}: ${describeEnergy(run, energy)}`)
        .join('\n'),
      software_packageVersion: run.model.version,
      software_downloadLocation: downloadLocation,
      software_primaryPurpose: 'model',
      suppliedBy: id('publisher'),
      releaseTime: wholeSeconds(releasedAt),
      ...energyConsumption(run),
    }),
    licensed('hasDeclaredLicense'),
    licensed('hasConcludedLicense'),
    element('Annotation', 'energy', {
      annotationType: 'other',
      subject: id('model'),
      contentType: 'application/json',
      statement: canonicalJson(run.phases.map((phase) => provenance(run, phase))),
    }),
  ]
  return {
    '@context': 'https://spdx.org/rdf/3.0.1/spdx-context.jsonld',
    '@graph': [
      {
        type: 'CreationInfo',
        '@id': creationInfo,
        specVersion: '3.0.1',
        created: wholeSeconds(run.endedAt),
        createdBy: [id('publisher')],
        createdUsing: [id('tool')],
      },
      element('SpdxDocument', 'document', {
        profileConformance: ['core', 'software', 'simpleLicensing', 'ai'],
        rootElement: [id('model')],
        element: elements.map(({ spdxId }) => spdxId),
      }),
      ...elements,
    ],
  }
}

function energyConsumption(run: RunRecord): JsonObject {
  const byProperty = Object.entries(energyProperties).map(([stage, property]) => [
    property,
    run.phases.flatMap((phase) =>
      phase.stage !== stage || phase.energy.joules === null
        ? []
        : {
            type: 'ai_EnergyConsumptionDescription',
            ai_energyQuantity: shiftDecimal(phase.energy.joules, -6),
            ai_energyUnit: 'megajoule',
          },
    ),
  ])
  const known = Object.fromEntries(byProperty.filter(([, descriptions]) => descriptions!.length > 0))
  return Object.keys(known).length === 0
    ? {}
    : { ai_energyConsumption: { type: 'ai_EnergyConsumption', ...known } }
}

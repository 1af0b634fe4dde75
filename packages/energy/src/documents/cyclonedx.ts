import { toKilowattHours } from '../units.js'
import {
  describeEnergy,
  provenance,
  runFootprint,
  runUuid,
  wholeSeconds,
  type JsonObject,
} from './figures.js'
import { checkedRecord, type RunPhase, type RunRecord } from './run-record.js'

const gramsPerTonne = 1e6

/**
 * The model with its energy as a CycloneDX 1.6 bill of materials: `modelCard.considerations.environmentalConsiderations`.
 *
 * Energy is in kWh and location-based carbon in tonnes; method, bounds, run and market-based carbon are in the `bio:` properties of each
 * activity. A phase whose energy nobody knows is no activity, for the format wants a number there: it is a property with the reason.
 * Who supplied the electricity is not known here, so `energyProviders` is empty.
 *
 * @throws `ERR_BIO_VALUE` for a run whose hash is not its own.
 */
export function cycloneDxDocument(run: RunRecord): JsonObject {
  checkedRecord('cycloneDxDocument', run)
  const reference = `model:${run.model.name}@${run.model.version}`
  return {
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    serialNumber: `urn:uuid:${runUuid(run)}`,
    version: 1,
    metadata: {
      timestamp: wholeSeconds(run.endedAt),
      tools: { components: [{ type: 'library', name: '@bio/energy' }] },
      supplier: { name: run.publisher },
    },
    components: [
      {
        type: 'machine-learning-model',
        'bom-ref': reference,
        name: run.model.name,
        version: run.model.version,
        publisher: run.publisher,
        modelCard: {
          modelParameters: { task: run.task.family },
          considerations: {
            environmentalConsiderations: {
              energyConsumptions: run.phases.flatMap((phase) => activity(run, phase) ?? []),
              properties: [
                property('run', run.hash),
                ...run.phases
                  .filter(({ energy }) => energy.joules === null)
                  .map(({ name, energy }) =>
                    property('unavailable', `${name}: ${describeEnergy(run, energy)}`),
                  ),
              ],
            },
          },
        },
      },
    ],
  }
}

function activity(run: RunRecord, phase: RunPhase): JsonObject | null {
  if (phase.energy.joules === null) return null
  const footprint = runFootprint(run, phase.energy)
  const grams = footprint?.location.grams ?? null
  const { intensity } = run
  return {
    activity: phase.stage,
    energyProviders: [],
    activityEnergyCost: { value: toKilowattHours(phase.energy.joules), unit: 'kWh' },
    ...(grams === null
      ? {}
      : { co2CostEquivalent: { value: grams.expected / gramsPerTonne, unit: 'tCO2eq' } }),
    properties: [
      ...Object.entries(provenance(run, phase)).map(([name, value]) => property(name, value)),
      ...(grams === null ? [] : [property('carbon:location', { ...grams, ...intensity?.location })]),
      ...(footprint?.market == null
        ? []
        : [property('carbon:market', { ...footprint.market.grams, ...intensity?.market })]),
    ],
  }
}

/** The format's property values are texts. */
function property(name: string, value: unknown): JsonObject {
  return { name: `bio:energy:${name}`, value: typeof value === 'string' ? value : JSON.stringify(value) }
}

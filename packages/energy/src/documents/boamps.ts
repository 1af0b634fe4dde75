import { BioError } from '@bio/errors'
import { toRange } from '../cost/range.js'
import type { KnownReading } from '../reading/reading.js'
import { toKilowattHours } from '../units.js'
import { describeEnergy, runUuid, type JsonObject } from './figures.js'
import { checkedRecord, type RunPhase, type RunRecord } from './run-record.js'

/** What the format asks for and a run does not know. */
export interface BoampsOptions {
  readonly confidentiality: 'public' | 'internal' | 'confidential' | 'secret'
  readonly infrastructure: 'publicCloud' | 'privateCloud' | 'onPremise' | 'other'
}

/** The grades of the format, by the largest error as a share of the value. */
const qualities = [
  ['high', 0.1],
  ['medium', 0.25],
  ['low', 0.5],
] as const

/**
 * The run as a BoAmps 1.1.0 energy report (Boavizta), one measure for each phase.
 *
 * `powerConsumption` is in kWh; method, bounds and run are in `measurementMethod`, the source in `cpuTrackingMode` or
 * `gpuTrackingMode`. `quality` follows from the widest bounds and is left out beyond ±50 %.
 *
 * @throws `ERR_BIO_VALUE` for a run whose hash is not its own, and when a phase's energy is unknown: the format wants a number of each measure and has no word for none.
 */
export function boampsReport(run: RunRecord, options: BoampsOptions): JsonObject {
  checkedRecord('boampsReport', run)
  const known = run.phases.map(({ energy }) => energy).filter((energy) => energy.joules !== null)
  if (known.length < run.phases.length) throw withoutNumber(run)
  const { task, location, intensity } = run
  const stages = [...new Set(run.phases.map(({ stage }) => stage.replace('-', '')))]
  const requests = total(run, 'requests')
  const quality = grade(known)
  return {
    header: {
      formatVersion: '1.1.0',
      formatVersionSpecificationUri: 'https://github.com/Boavizta/BoAmps/tree/main/model',
      reportId: runUuid(run),
      reportDatetime: dateTime(run.endedAt),
      publisher: { name: run.publisher, confidentialityLevel: options.confidentiality },
    },
    task: {
      taskStage: stages.join('+'),
      taskFamily: task.family,
      ...(requests === 0 ? {} : { nbRequest: requests }),
      algorithms: [
        {
          algorithmName: run.model.name,
          ...(run.model.parameters === undefined ? {} : { parametersNumber: run.model.parameters / 1e9 }),
        },
      ],
      dataset: datasets(run),
      ...(task.description === undefined ? {} : { taskDescription: task.description }),
    },
    measures: run.phases.map((phase, index) => measure(run, phase, known[index]!)),
    software: { language: run.software[0]!.name, version: run.software[0]!.version },
    infrastructure: {
      infraType: options.infrastructure,
      components: run.hardware.map(({ kind, name, count }) => ({
        componentType: kind,
        componentName: name,
        nbComponent: count,
      })),
    },
    environment: {
      country: location.country,
      ...(location.region === undefined ? {} : { location: location.region }),
      ...(intensity === undefined
        ? {}
        : {
            powerSourceCarbonIntensity: toRange(
              'boampsReport',
              'intensity',
              intensity.location.gramsPerKilowattHour,
            ).expected,
          }),
    },
    ...(quality === undefined ? {} : { quality }),
  }
}

function measure(run: RunRecord, { name, stage }: RunPhase, energy: KnownReading): JsonObject {
  const gpus = energy.domains.filter((domain) => domain.includes('gpu')).length
  return {
    measurementMethod: `@bio/energy, ${name} (${stage}): ${describeEnergy(run, energy)}`,
    ...(gpus < energy.domains.length || gpus === 0 ? { cpuTrackingMode: energy.source } : {}),
    ...(gpus > 0 ? { gpuTrackingMode: energy.source } : {}),
    powerConsumption: toKilowattHours(energy.joules),
    measurementDuration: energy.seconds,
  }
}

/** Tokens where they were counted; the format wants at least one entry. */
function datasets(run: RunRecord): readonly JsonObject[] {
  const usages = [
    ['input', total(run, 'inputTokens')],
    ['output', total(run, 'outputTokens')],
  ] as const
  const counted = usages.filter(([, tokens]) => tokens > 0)
  return counted.length === 0
    ? [{ dataUsage: 'input', dataType: 'other' }]
    : counted.map(([dataUsage, dataQuantity]) => ({ dataUsage, dataType: 'token', dataQuantity }))
}

function total(run: RunRecord, count: 'inputTokens' | 'outputTokens' | 'requests'): number {
  return run.phases.reduce((sum, { counts }) => sum + (counts?.[count] ?? 0), 0)
}

function grade(readings: readonly KnownReading[]): string | undefined {
  const error = Math.max(
    ...readings.map(({ joules, low, high }) =>
      low === high ? 0 : Math.max(high - joules, joules - low) / joules,
    ),
  )
  return qualities.find(([, limit]) => error <= limit)?.[0]
}

/** `2026-03-01 18:00:00` */
function dateTime(time: string): string {
  return new Date(time).toISOString().slice(0, 19).replace('T', ' ')
}

function withoutNumber(run: RunRecord): BioError {
  const phase = run.phases.find(({ energy }) => energy.joules === null)!
  return new BioError('ERR_BIO_VALUE', {
    operation: 'boampsReport',
    expected: 'a known energy of every phase',
    received: `none of ${phase.name}: ${phase.energy.reasons.join('; ')}`,
    hint: 'Leave that phase out of the record, or report the run in another format.',
  })
}

import { checkIntensity } from '../carbon/carbon-footprint.js'
import { checkNumber, invalid } from '../check.js'
import { createReading, type Method, type Reading } from '../reading/reading.js'
import type { RunFields, RunPhase, Stage } from './run-record.js'

const operation = 'createRunRecord'
const methods: readonly Method[] = ['measured', 'derived', 'estimated', 'unavailable']
const stages: readonly Stage[] = ['training', 'fine-tuning', 'inference', 'other']

/** Refuses fields that no document could be made from (`ERR_BIO_VALUE`). */
export function checkRun(run: RunFields): void {
  if (typeof run !== 'object' || run === null) throw invalid(operation, 'the fields of a run', run)
  const { model, task, location, hardware, software, phases, intensity, pue } = run
  checkText('model.name', model?.name)
  checkText('model.version', model?.version)
  if (model.parameters !== undefined)
    checkNumber(operation, 'model.parameters', model.parameters, { minimum: 0 })
  checkText('publisher', run.publisher)
  checkText('task.family', task?.family)
  checkText('location.country', location?.country)
  for (const [index, part] of checkList('hardware', hardware).entries()) {
    checkText(`hardware[${index}].kind`, part?.kind)
    checkText(`hardware[${index}].name`, part.name)
    checkNumber(operation, `hardware[${index}].count`, part.count, { minimum: 1, whole: true })
  }
  for (const [index, part] of checkList('software', software).entries()) {
    checkText(`software[${index}].name`, part?.name)
    checkText(`software[${index}].version`, part.version)
  }
  if (checkTime('startedAt', run.startedAt) > checkTime('endedAt', run.endedAt)) {
    throw invalid(operation, 'endedAt not before startedAt', run.endedAt)
  }
  const names = checkList('phases', phases).map((phase, index) => checkPhase(phase, index))
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice !== undefined) throw invalid(operation, 'every phase under a name of its own', twice)
  if (intensity !== undefined) checkIntensity(operation, intensity?.location, 'location')
  if (intensity?.market !== undefined) checkIntensity(operation, intensity.market, 'market')
  if (pue !== undefined) checkNumber(operation, 'pue', pue, { minimum: 1 })
}

function checkPhase(phase: RunPhase, index: number): string {
  const at = `phases[${index}]`
  checkText(`${at}.name`, phase?.name)
  if (!stages.includes(phase.stage))
    throw invalid(operation, `${at}.stage of ${stages.join(', ')}`, phase.stage)
  checkReading(`${at}.energy`, phase.energy)
  for (const reading of phase.bySource ?? []) checkReading(`${at}.bySource`, reading)
  for (const [name, count] of Object.entries(phase.counts ?? {})) {
    checkNumber(operation, `${at}.counts.${name}`, count, { minimum: 0 })
  }
  return phase.name
}

function checkReading(name: string, reading: Reading): void {
  const lists = Array.isArray(reading?.domains) && Array.isArray(reading.reasons)
  if (!lists || !methods.includes(reading.method))
    throw invalid(operation, `${name} to be a reading`, reading)
  checkText(`${name}.source`, reading.source)
  checkText(`${name}.boundary`, reading.boundary)
  createReading(reading)
  if (reading.joules !== null) checkNumber(operation, `${name}.joules`, reading.joules, { minimum: 0 })
}

function checkList<T>(name: string, list: readonly T[]): readonly T[] {
  if (Array.isArray(list) && list.length > 0) return list
  throw invalid(operation, `${name} to be an array of at least one`, list)
}

function checkText(name: string, value: unknown): void {
  if (typeof value !== 'string' || value.trim() === '')
    throw invalid(operation, `${name} to be a text`, value)
}

function checkTime(name: string, value: string): number {
  const time = typeof value === 'string' && value.endsWith('Z') ? Date.parse(value) : Number.NaN
  if (!Number.isNaN(time)) return time
  throw invalid(operation, `${name} to be a time in UTC, as toISOString writes it`, value)
}

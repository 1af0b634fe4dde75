import type { KnownReading } from '../reading/reading.js'
import { toMegawattHours } from '../units.js'
import { significant } from './decimal-text.js'
import { describeEnergy, stageEnergy } from './figures.js'
import { checkedRecord, type RunPhase, type RunRecord, type Stage } from './run-record.js'

/** One line of the form. */
export interface FormItem {
  readonly section:
    | 'Computational resources (during training)'
    | 'Energy consumption (during training and inference)'
  readonly item: string
  /** Or `N/A`; then `methodology` says why. */
  readonly value: string
  readonly unit: 'days' | 'FLOPs' | 'MWh'
  readonly methodology: string
}

export interface ModelDocumentationForm {
  readonly form: string
  /** The date of the form that is followed: the rules are moving. */
  readonly version: '2025-07-10'
  /** Who must fill it in, and who need not. */
  readonly obligation: string
  readonly model: string
  readonly provider: string
  readonly items: readonly FormItem[]
  readonly run: string
}

const obligation =
  'Providers of general-purpose AI models keep this documentation for the AI Office and national authorities: Regulation (EU) 2024/1689, ' +
  'Art. 53(1)(a) and Annex XI, since 2 August 2025. Models under a free and open-source licence with public weights are exempt unless ' +
  'they carry systemic risk, Art. 53(2). Deployers, who only use a model, are not obliged by it.'

const training: readonly Stage[] = ['training', 'fine-tuning']
const secondsPerDay = 86_400

/**
 * The items on computation and energy of the EU's Model Documentation Form (General-Purpose AI Code of Practice, Transparency chapter, 10 July 2025).
 *
 * Training energy is in MWh to three significant figures (the form wants two or more), known or estimated, with its method and bounds;
 * `N/A` with the reason where nobody knows. Computation is what the record's phases count; inference has FLOPs here, not joules. The form
 * names no boundary for energy, so the methodology does. A model made by several runs needs their sum. This is no legal advice.
 *
 * @throws `ERR_BIO_VALUE` for a run whose hash is not its own.
 */
export function modelDocumentationForm(run: RunRecord): ModelDocumentationForm {
  checkedRecord('modelDocumentationForm', run)
  const trained = run.phases.filter(({ stage }) => training.includes(stage))
  const served = run.phases.filter(({ stage }) => stage === 'inference')
  return {
    form: 'Model Documentation Form, General-Purpose AI Code of Practice, Transparency chapter',
    version: '2025-07-10',
    obligation,
    model: `${run.model.name} ${run.model.version}`,
    provider: run.publisher,
    items: [
      trainingTime(run, trained),
      trainingFlops(run, trained),
      trainingEnergy(run),
      inferenceFlops(run, served),
    ],
    run: run.hash,
  }
}

function trainingTime(run: RunRecord, trained: readonly RunPhase[]): FormItem {
  const seconds = trained.reduce((sum, { energy }) => sum + energy.seconds, 0)
  return {
    section: 'Computational resources (during training)',
    item: 'Training time (wall clock)',
    unit: 'days',
    ...(trained.length === 0
      ? { value: 'N/A', methodology: `Nothing was trained in this run. Run ${run.hash}.` }
      : {
          value: significant(seconds / secondsPerDay, 'nearest'),
          methodology: `The phases ${names(trained)} on ${hardware(run)}. Run ${run.hash}.`,
        }),
  }
}

function trainingFlops(run: RunRecord, trained: readonly RunPhase[]): FormItem {
  return {
    section: 'Computational resources (during training)',
    item: 'Amount of computation used for training',
    unit: 'FLOPs',
    ...flops(run, trained, `Counted from the model's shape, for the phases ${names(trained)}.`),
  }
}

function trainingEnergy(run: RunRecord): FormItem {
  const energy = stageEnergy(run, training)
  return {
    section: 'Energy consumption (during training and inference)',
    item: 'Amount of energy used for training',
    unit: 'MWh',
    ...(energy === null
      ? { value: 'N/A', methodology: `Nothing was trained in this run. Run ${run.hash}.` }
      : energy.joules === null
        ? { value: 'N/A', methodology: `Not known: ${describeEnergy(run, energy)}` }
        : {
            value: significant(toMegawattHours(energy.joules), 'nearest'),
            methodology: `${bounds(energy)} In the absence of a delegated act under Article 53(5): ${describeEnergy(run, energy)}`,
          }),
  }
}

function inferenceFlops(run: RunRecord, served: readonly RunPhase[]): FormItem {
  const tokens = served.reduce((sum, { counts }) => sum + (counts?.outputTokens ?? 0), 0)
  return {
    section: 'Energy consumption (during training and inference)',
    item: 'Benchmarked amount of computation used for inference',
    unit: 'FLOPs',
    ...flops(
      run,
      served,
      `Task: ${run.task.family}${tokens === 0 ? '' : `, generating ${tokens} tokens`}. Hardware: ${hardware(run)}. Counted from the model's shape.`,
    ),
  }
}

/** All phases must have counted: a part would pass for the whole. */
function flops(
  run: RunRecord,
  phases: readonly RunPhase[],
  methodology: string,
): Pick<FormItem, 'value' | 'methodology'> {
  const counts = phases.flatMap((phase) => phase.counts?.flops ?? [])
  if (counts.length === 0 || counts.length < phases.length) {
    const why =
      phases.length === 0 ? 'This run had no such phase.' : 'Not every phase counted its operations.'
    return { value: 'N/A', methodology: `${why} Run ${run.hash}.` }
  }
  const sum = counts.reduce((total, count) => total + count, 0)
  return { value: sum.toExponential(2), methodology: `${methodology} Run ${run.hash}.` }
}

function bounds({ low, high, method }: KnownReading): string {
  const from = significant(toMegawattHours(low), 'down')
  const to = significant(toMegawattHours(high), 'up')
  return `The amount is ${method}, between ${from} and ${to} MWh.`
}

function names(phases: readonly RunPhase[]): string {
  return phases.map(({ name }) => name).join(', ')
}

function hardware(run: RunRecord): string {
  return run.hardware.map(({ name, count }) => `${count} × ${name}`).join(', ')
}

import { shiftDecimal, significant } from './decimal-text.js'
import { describeEnergy, runFootprint, stageEnergy } from './figures.js'
import { checkedRecord, type RunRecord } from './run-record.js'

/**
 * The front matter of a Hugging Face model card: `co2_eq_emissions` of training and fine-tuning, grams by the place's grid.
 *
 * `source` says how the energy is known, its bounds and the run. `emissions` is left out, and `source` says why, when the energy or the
 * grid's intensity is unknown or nothing was trained.
 *
 * @throws `ERR_BIO_VALUE` for a run whose hash is not its own.
 *
 * @example
 * ```ts
 * import { createReading, createRunRecord, huggingFaceCard } from '@bio/energy'
 *
 * const energy = createReading({ joules: 7.2e6, low: 6.8e6, high: 7.5e6, method: 'measured', source: 'rapl', seconds: 36_000 })
 * const run = createRunRecord({
 *   model: { name: 'digits', version: '1.0.0' },
 *   publisher: 'Example',
 *   task: { family: 'image classification' },
 *   hardware: [{ kind: 'cpu', name: 'EPYC 7763', count: 1 }],
 *   software: [{ name: 'node', version: '22.12.0' }],
 *   location: { country: 'DE' },
 *   startedAt: '2026-03-01T08:00:00Z',
 *   endedAt: '2026-03-01T18:00:00Z',
 *   phases: [{ name: 'train', stage: 'training', energy }],
 * })
 * const card = `${huggingFaceCard(run)}\n# My model\n`
 * console.log(card.split('\n')[1]) // => co2_eq_emissions:
 * ```
 */
export function huggingFaceCard(run: RunRecord): string {
  checkedRecord('huggingFaceCard', run)
  const energy = stageEnergy(run, ['training', 'fine-tuning'])
  const footprint = energy === null ? null : runFootprint(run, energy)
  const grams = footprint?.location.grams ?? null
  const trained = run.phases.some(({ stage }) => stage === 'training')
  const { country, region } = run.location
  const fields: readonly (readonly [string, string | null])[] = [
    ['emissions', grams === null ? null : shiftDecimal(grams.expected, 0)],
    ['source', JSON.stringify(source())],
    ['training_type', energy === null ? null : JSON.stringify(trained ? 'pre-training' : 'fine-tuning')],
    ['geographical_location', JSON.stringify(region === undefined ? country : `${region}, ${country}`)],
    [
      'hardware_used',
      JSON.stringify(
        run.hardware.map(({ name, count }) => (count === 1 ? name : `${count} ${name}`)).join(', '),
      ),
    ],
  ]
  const lines = fields.filter(([, value]) => value !== null).map(([name, value]) => `  ${name}: ${value}`)
  return ['---', 'co2_eq_emissions:', ...lines, '---', ''].join('\n')

  function source(): string {
    if (energy === null) return `Nothing was trained in this run. Run ${run.hash}.`
    const of = `Energy ${describeEnergy(run, energy)}`
    if (footprint === null) return `No emissions: the run names no carbon intensity. ${of}`
    if (grams === null) return `No emissions: the energy is unknown. ${of}`
    const { region: zone, year, source: by } = footprint.location.intensity
    const [low, high] = [significant(grams.low, 'down'), significant(grams.high, 'up')]
    return `@bio/energy: ${low} to ${high} g, location-based, ${zone} ${year} by ${by}. ${of}`
  }
}

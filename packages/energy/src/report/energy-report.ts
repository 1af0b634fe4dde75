import type { Footprint } from '../carbon/carbon-footprint.js'
import { runFootprint, stageEnergy } from '../documents/figures.js'
import { checkedRecord, type RunRecord } from '../documents/run-record.js'
import { addReadings } from '../reading/arithmetic.js'
import type { Reading } from '../reading/reading.js'
import { toKilowattHours } from '../units.js'
import { energyBars } from './energy-bars.js'
import { amount, amountWithBounds, duration, escape, table } from './html.js'
import { powerChart } from './power-chart.js'
import { style } from './style.js'

export interface EnergyReportOptions {
  readonly run: RunRecord
  /** Readings that follow one another, for power over time: the steps of a log. The phases of the run by default. */
  readonly power?: readonly Reading[]
}

/**
 * One HTML page about a run, with nothing loaded from elsewhere and no script: the energy with its method written large, its bounds and
 * reasons; power over time; the breakdown by phase and by source; carbon; every reading in full; the run's hash.
 *
 * @example
 * ```ts
 * import { createReading, createRunRecord, energyReport } from '@bio/energy'
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
 * const html = energyReport({ run, power: [energy] }) // power: the readings of a step log, one after another
 * console.log(html.slice(0, 15)) // => <!doctype html>
 * ```
 */
export function energyReport({
  run,
  power = run.phases.map(({ energy }) => energy),
}: EnergyReportOptions): string {
  checkedRecord('energyReport', run)
  const total = stageEnergy(run, ['training', 'fine-tuning', 'inference', 'other'])!
  const title = `Energy of ${run.model.name} ${run.model.version}`
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escape(title)}</title>
<style>${style}</style>
</head>
<body><main>
<h1>${escape(title)}</h1>
<p class="lead">${escape([run.task.family, ...(run.task.description === undefined ? [] : [run.task.description])].join(': '))}. ${escape(run.publisher)}, ${escape(day(run.startedAt))}</p>
${headline(total)}
<h2>Power over time</h2>
${powerChart(power)}
<h2>By phase</h2>
${energyBars(run.phases.map(({ name, stage, energy }) => ({ name: name === stage ? name : `${name} (${stage})`, energy })))}
<h2>By source</h2>
${energyBars(bySource(run))}
${carbon(run, total)}
<h2>Every reading</h2>
${readings(run)}
<h2>What ran</h2>
${facts(run)}
<footer>Bounds cover what the method cannot resolve; a sensor's own calibration is not in them. Run <code>${run.hash}</code></footer>
</main></body>
</html>
`
}

function headline(total: Reading): string {
  const reasons =
    total.reasons.length === 0
      ? ''
      : `<ul>${total.reasons.map((reason) => `<li>${escape(reason)}</li>`).join('')}</ul>`
  if (total.joules === null) {
    return `<div class="headline unavailable"><strong>Unknown energy</strong><b>unavailable</b>${reasons}</div>`
  }
  const { joules, low, high, method, source, boundary, domains, seconds } = total
  const covers = domains.length === 0 ? boundary : `${boundary}: ${domains.join(', ')}`
  return `<div class="headline ${method}"><strong>${amount(joules, 'J')}</strong><b>${method}</b><p>between ${amount(low, 'J')} and ${amount(high, 'J')}, by ${escape(source)}, over ${duration(seconds)} (${escape(covers)})</p><p>${toKilowattHours(joules).toPrecision(3)} kWh, on average ${amount(seconds === 0 ? 0 : joules / seconds, 'W')}</p>${reasons}</div>`
}

/** The same sources of all phases together. */
function bySource(run: RunRecord): { name: string; energy: Reading }[] {
  const all = run.phases.flatMap(({ energy, bySource: parts }) => parts ?? [energy])
  const names = [...new Set(all.map(nameOf))]
  return names.map((name) => ({
    name,
    energy: addReadings(all.filter((reading) => nameOf(reading) === name)),
  }))
}

function nameOf({ source, domains }: Reading): string {
  return domains.length === 0 ? source : `${source}: ${domains.join(', ')}`
}

function carbon(run: RunRecord, total: Reading): string {
  const footprint = runFootprint(run, total)
  if (footprint === null) return ''
  const row = ({ grams, intensity, method }: Footprint): readonly string[] => [
    `${intensity.basis}-based`,
    grams === null ? 'unknown' : amountWithBounds(grams, 'g'),
    method,
    `${intensity.region} ${intensity.year}, ${intensity.source}`,
  ]
  const rows = [footprint.location, ...(footprint.market === null ? [] : [footprint.market])].map(row)
  const two =
    rows.length > 1 ? '<p class="none">Two ways of counting the same emissions, not to be added.</p>' : ''
  return `<h2>Carbon</h2>${table([['', 'CO₂ equivalent', 'energy', 'intensity'], ...rows])}${two}`
}

function readings(run: RunRecord): string {
  // Seven digits: the record itself holds them all.
  const text = (value: number | null): string =>
    value === null ? 'unknown' : String(Number(value.toPrecision(7)))
  return table([
    ['phase', 'method', 'joules', 'low', 'high', 'seconds', 'of', 'reasons'],
    ...run.phases.map(({ name, energy }) => [
      name,
      energy.method,
      text(energy.joules),
      text(energy.low),
      text(energy.high),
      text(energy.seconds),
      `${nameOf(energy)} (${energy.boundary})`,
      energy.reasons.join('; '),
    ]),
  ])
}

function facts(run: RunRecord): string {
  const { region, country } = run.location
  return table([
    ['', ''],
    ['hardware', run.hardware.map(({ count, name }) => `${count} × ${name}`).join(', ')],
    ['software', run.software.map(({ name, version }) => `${name} ${version}`).join(', ')],
    ['place', region === undefined ? country : `${region}, ${country}`],
    ['time', `${run.startedAt} to ${run.endedAt}`],
  ])
}

function day(time: string): string {
  return new Date(time).toISOString().slice(0, 10)
}

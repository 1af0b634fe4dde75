import { mkdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { EnergyMeter, scaleReading, type Reading } from '@bio/energy'
import { machineLines } from '../report/machine-lines.js'
import { summaryTable } from '../report/summary.js'
import { tourPage } from '../report/tour-page.js'
import { continualStep } from './continual-step.js'
import { costStep } from './cost.js'
import { machineStep } from './machine-step.js'
import { quantizeStep } from './quantize-step.js'
import type { EnergyFigures, TourReport } from './report.js'
import { serveStep } from './serve-step.js'
import { tourSettings, type TourSize } from './settings.js'
import { firstText, secondText } from './text.js'
import { train } from './train.js'

export interface TourOptions {
  /** 'full' (default) in under 4 minutes, 'quick' in under one, 'small' for slow kernels: always that on the TypeScript ones. */
  readonly size?: TourSize
  /** The first text; by default the TypeScript compiler's declarations. */
  readonly text?: string
  /** The second text; by default the Markdown of the installed packages. */
  readonly second?: string
  /** Where the report and the trained model go. Default `out`. */
  readonly out?: string
  /** Price of this machine, for the cost at scale. Default: 5 cents per core and hour. */
  readonly dollarsPerHour?: number
  readonly signal?: AbortSignal
}

type Way = 'baseline' | 'batched' | 'optimized'

/**
 * Leads through every package on real text: probes the machine, trains a decoder with experts, teaches it a second text three ways, quantizes
 * it, serves it three ways, and writes `tour.json`, `tour.html` and the model as a Hugging Face folder. Speeds are of this machine in this run.
 */
export async function tour(options: TourOptions = {}): Promise<TourReport> {
  const { size = 'full', out = 'out', signal = new AbortController().signal } = options
  const start = performance.now()
  const folder = resolve(out)
  mkdirSync(folder, { recursive: true })
  await using meter = await EnergyMeter.open()

  say('1. The machine')
  const machine = machineStep(meter, { bytes: size === 'full' ? 2 ** 28 : 2 ** 27 })
  console.log(machineLines(machine).join('\n'))

  const settings = tourSettings(machine.kernels === 'typescript' ? 'small' : size)
  if (machine.kernels === 'typescript')
    console.log('  the TypeScript kernels are slow: a smaller model than with native ones')

  const texts = [firstText(options.text), secondText(options.second)] as const
  say(
    `2. Sparse activation: a decoder with ${settings.model.experts} experts, ${settings.model.topK} per token, learns ${texts[0].name}`,
  )
  const { decoder, figures } = await train(texts[0], settings, { meter, signal })

  say(`3. Continual learning: it learns ${texts[1].name}`)
  const continual = await continualStep(decoder, texts, settings, { signal })

  say('4. Precision: the same weights in fewer bits')
  const quantize = await quantizeStep(decoder, texts[0], settings, { signal })

  say(`5. Event-driven processing: ${settings.serve.clients} clients that share a long prompt`)
  const readings = new Map<Way, { energy: Reading; tokens: number }>()
  const serve = await serveStep(decoder, texts[0], settings, {
    folder: join(folder, 'model'),
    signal,
    async measure(way, run) {
      const window = meter.begin(way)
      const clients = await run()
      readings.set(way, {
        energy: window.end(),
        tokens: clients.reduce((sum, { completionTokens }) => sum + completionTokens, 0),
      })
      return clients
    },
  })
  const served = (way: Way) => ({ ...readings.get(way)!, tokensPerSecond: serve[way].tokensPerSecond })
  const dollarsPerHour = options.dollarsPerHour ?? 0.05 * machine.cores
  const report: TourReport = {
    settings: {
      size: settings.size,
      seconds: (performance.now() - start) / 1000,
      model: { ...settings.model },
      texts: texts.map(({ name }) => name),
    },
    machine,
    train: figures,
    continual,
    quantize,
    serve,
    energy: { ...energyFigures(served('optimized')), baseline: energyFigures(served('baseline')) },
    cost: costStep({ baseline: served('baseline'), optimized: served('optimized') }, { dollarsPerHour }),
  }

  say('6. Before and after')
  console.log(summaryTable(report))
  writeFileSync(join(folder, 'tour.json'), `${JSON.stringify(report, null, 2)}\n`)
  writeFileSync(join(folder, 'tour.html'), tourPage(report))
  console.log(
    `\n  ${join(out, 'tour.html')} shows it in pictures, ${join(out, 'tour.json')} holds every figure,`,
  )
  console.log(`  and ${join(out, 'model')} the model: bio run ${join(out, 'model')} "interface "\n`)
  return report
}

function say(heading: string): void {
  console.log(`\n${heading}\n`)
}

/** Joules per generated token of one way to serve. */
function energyFigures({ energy, tokens }: { energy: Reading; tokens: number }): EnergyFigures {
  const { joules, low, high, method, source, reasons } = scaleReading(energy, 1 / tokens)
  return { method, source, joulesPerToken: joules, low, high, reasons }
}

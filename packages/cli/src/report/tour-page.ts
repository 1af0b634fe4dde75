import { digits, quantity } from '../terminal/format.js'
import type { TourReport } from '../tour/report.js'
import { machineLines } from './machine-lines.js'
import { page, type Section } from './page.js'
import { summaryRows } from './summary.js'

/** The tour in pictures, in one file. */
export function tourPage(report: TourReport): string {
  const { settings, train } = report
  return page({
    title: 'What brain-inspired efficiency does on this machine',
    lead: `A decoder of ${quantity(train.parameters)} parameters was trained, taught a second text, quantized and served in ${digits(settings.seconds)} seconds${settings.size === 'full' ? '' : ` (the ${settings.size} tour)`}. Every figure is of this run.`,
    sections: [
      summary(report),
      training(report),
      continual(report),
      precision(report),
      serving(report),
      machine(report),
    ],
  })
}

function summary(report: TourReport): Section {
  const { energy, serve, cost } = report
  const { dollarsPerHour, utilisation } = cost.assumptions
  return {
    heading: 'Before and after',
    text: `${serve.clients} clients ask at once. Before: one request after the other, f32, no cache. After: batched, shared prefixes, int4. Energy is ${energy.method} (${energy.source})${energy.low === null || energy.high === null ? '' : `, between ${digits(energy.low)} and ${digits(energy.high)} J per token after`}: ${energy.reasons.join('; ')}. Cost at $${digits(dollarsPerHour)} an hour for this machine, ${100 * utilisation} % busy.`,
    table: summaryRows(report),
  }
}

function training({ train }: TourReport): Section {
  const { curve, energy, expertLoad } = train
  const known = curve.joules.some((joules) => joules !== null)
  return {
    heading: 'Sparse activation: learning with experts',
    text: `${train.steps} steps on ${train.text}: from ${train.bitsPerByteStart.toFixed(2)} to ${train.bitsPerByteEnd.toFixed(2)} bits per byte of held-out text (the frequencies of the bytes alone: ${train.unigramBitsPerByte.toFixed(2)}), ${quantity(train.tokensPerSecond)}bytes per second. The busiest expert took ${(100 * train.maxViolation).toFixed(0)} % more than its share; ${train.deadExperts} experts are dead.`,
    charts: [
      {
        title: 'Loss.',
        caption: 'Bits per byte of each training batch.',
        xLabel: 'step',
        yLabel: 'bits per byte',
        x: curve.step,
        series: [{ label: 'bits per byte', values: curve.bitsPerByte }],
      },
      {
        title: 'Expert load.',
        caption: 'Share of the tokens that each expert took in the last tenth of the steps.',
        xLabel: 'expert',
        yLabel: 'share of tokens',
        places: expertLoad[0]!.map((_, expert) => `${expert + 1}`),
        x: expertLoad[0]!.map((_, expert) => expert),
        series: [{ label: 'mean over layers', values: meanOver(expertLoad) }],
      },
      ...(known
        ? [
            {
              title: 'Energy.',
              caption: `Joules since the first step, ${energy.method} by ${energy.source}, and their bounds. ${energy.reasons.join('. ')}`,
              xLabel: 'step',
              yLabel: 'joules',
              x: curve.step,
              series: [
                { label: energy.method, values: curve.joules },
                { label: 'at least', values: curve.low },
                { label: 'at most', values: curve.high },
              ],
            },
          ]
        : []),
    ],
  }
}

function meanOver(rows: readonly (readonly number[])[]): number[] {
  return rows[0]!.map((_, column) => rows.reduce((sum, row) => sum + row[column]!, 0) / rows.length)
}

function continual({ continual: ways, settings }: TourReport): Section {
  const rows = Object.entries(ways)
  return {
    heading: 'Continual learning: a second text',
    text: `The same decoder learnt ${settings.texts[1]} three times. Forgetting is what the first text costs more afterwards, in bits per byte: less is better.`,
    table: [
      ['', 'first text before', 'after', 'forgot', 'second text'],
      ...rows.map(([name, { oldBefore, oldAfter, new: fresh }]) => [
        name,
        oldBefore.toFixed(3),
        oldAfter.toFixed(3),
        (oldAfter - oldBefore).toFixed(3),
        fresh.toFixed(3),
      ]),
    ],
    charts: [
      {
        title: 'Forgetting.',
        caption: 'What the first text costs more after the second, by the way of learning.',
        xLabel: 'way of learning',
        yLabel: 'bits per byte forgotten',
        places: rows.map(([name]) => name),
        x: rows.map((_, index) => index),
        series: [
          {
            label: 'forgotten',
            values: rows.map(([, { oldBefore, oldAfter }]) => Math.max(0, oldAfter - oldBefore)),
          },
        ],
      },
    ],
  }
}

function precision({ quantize }: TourReport): Section {
  const full = quantize[0]!
  return {
    heading: 'Precision as a lever: fewer bits per weight',
    text: 'The quantized layers of the same decoder, on the same held-out text.',
    table: [
      ['weights', 'bytes', 'of f32', 'bits per byte', 'more than f32', 'bytes read per second'],
      ...quantize.map(({ weights, bytes, bitsPerByte, tokensPerSecond }) => [
        weights,
        quantity(bytes),
        `${(bytes / full.bytes).toFixed(3)} ×`,
        bitsPerByte.toFixed(4),
        `${(100 * (bitsPerByte / full.bitsPerByte - 1)).toFixed(2)} %`,
        quantity(tokensPerSecond),
      ]),
    ],
  }
}

function serving({ serve }: TourReport): Section {
  const { baseline, batched, optimized, ttftMs } = serve
  const row = (name: string, { tokensPerSecond, ttftMsP50, ttftMsP95 }: typeof baseline): string[] => [
    name,
    digits(tokensPerSecond),
    `${digits(ttftMsP50)} ms`,
    `${digits(ttftMsP95)} ms`,
  ]
  return {
    heading: 'Event-driven processing: many clients, one prompt',
    text: `${serve.promptTokens} prompt tokens were asked, ${serve.uniquePromptTokens} of them different; ${serve.prefilledTokens} were computed. Batched f32 gave ${serve.identicalTokens ? 'every client exactly the tokens of' : 'other tokens than'} one request at a time.`,
    table: [
      ['', 'tokens per second', 'first token, median', 'p95'],
      row('one at a time, f32, no cache', baseline),
      row('batched, f32, shared prefix', batched),
      row('batched, int4, shared prefix', optimized),
    ],
    charts: [
      {
        title: 'Latency.',
        caption: 'Time to the first token of each client, fastest first.',
        xLabel: 'client',
        yLabel: 'milliseconds',
        x: ttftMs.baseline.map((_, client) => client + 1),
        series: [
          { label: 'one at a time', values: ttftMs.baseline },
          { label: 'batched, f32', values: ttftMs.batched },
          { label: 'batched, int4', values: ttftMs.optimized },
        ],
      },
    ],
  }
}

function machine({ machine: figures }: TourReport): Section {
  return {
    heading: 'The machine',
    table: [[], ...machineLines(figures).map((line) => line.trim().split(/\s{2,}/))],
  }
}

import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics'
import fc from 'fast-check'
import * as client from 'prom-client'
import { expect, test } from 'vitest'
import { createReading, unavailableReading, type Reading } from '../reading/reading.js'
import { readingsToCsv } from './csv.js'
import { openTelemetryEnergy } from './open-telemetry.js'
import { prometheusEnergy } from './prometheus.js'

const measured = createReading({
  joules: 30,
  low: 29,
  high: 32,
  method: 'measured',
  source: 'rapl',
  domains: ['package-0', 'package-1'],
  seconds: 2,
})
const estimated = createReading({
  joules: 5,
  low: -1,
  high: 20,
  method: 'estimated',
  source: 'cpu-time',
  domains: ['cpu'],
  seconds: 1,
})
const unknown = unavailableReading({
  source: 'nvml',
  domains: ['gpu-0'],
  seconds: 4,
  reasons: ['MIG, "N/A"'],
})
const host = createReading({ joules: 99, method: 'measured', source: 'bmc', boundary: 'node', seconds: 1 })
const difference = createReading({ joules: -1, method: 'derived', source: 'rapl', seconds: 1 })

/** Reads RFC 4180, so that the writer is not its own judge. */
function parseCsv(text: string): Record<string, string>[] {
  const rows: string[][] = [[]]
  for (const [, quoted, plain, end] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/g)) {
    rows.at(-1)!.push(quoted?.replaceAll('""', '"') ?? plain ?? '')
    if (end === '\r\n') rows.push([])
  }
  const [head, ...body] = rows.slice(0, -1)
  return body.map((row) => Object.fromEntries(head!.map((name, index) => [name, row[index]!])))
}

test('CSV has method and bounds beside the joules, and an empty cell for what nobody knows', () => {
  const rows = parseCsv(
    readingsToCsv([measured, unknown].map((energy, step) => ({ label: `step ${step}`, energy }))),
  )
  expect(rows[0]).toMatchObject({
    label: 'step 0',
    method: 'measured',
    joules: '30',
    low_joules: '29',
    high_joules: '32',
    domains: 'package-0 package-1',
    above_idle_joules: '',
  })
  expect(rows[1]).toMatchObject({
    method: 'unavailable',
    joules: '',
    low_joules: '',
    high_joules: '',
    reasons: 'MIG, "N/A"',
  })
})

test('every label and every number comes back from CSV', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.string(), fc.double({ noNaN: true, noDefaultInfinity: true }))),
      (pairs) => {
        const rows = pairs.map(([label, joules]) => ({
          label,
          energy: createReading({ joules, method: 'derived', source: 'a "b", c', seconds: 1 }),
        }))
        const parsed = parseCsv(readingsToCsv(rows))
        expect(parsed.map(({ label, joules }) => [label, Number(joules)])).toEqual(
          pairs.map(([label, joules]) => [label, joules === 0 ? 0 : joules]),
        )
      },
    ),
  )
})

test('Prometheus keeps the methods apart, adds the bounds up, and counts unknown time instead of joules', async () => {
  const registry = new client.Registry()
  const energy = prometheusEnergy({ client, registry })
  for (const reading of [measured, measured, estimated, unknown]) energy.record(reading)
  const text = await registry.metrics()
  const rapl = '{method="measured",source="rapl",domains="package-0 package-1",boundary="device"}'
  const cpu = '{method="estimated",source="cpu-time",domains="cpu",boundary="device"}'
  expect(text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))).toEqual([
    `bio_energy_joules_total${rapl} 60`,
    `bio_energy_joules_total${cpu} 5`,
    `bio_energy_low_joules_total${rapl} 58`,
    `bio_energy_low_joules_total${cpu} 0`,
    `bio_energy_high_joules_total${rapl} 64`,
    `bio_energy_high_joules_total${cpu} 20`,
    'bio_energy_unknown_seconds_total{method="unavailable",source="nvml",domains="gpu-0",boundary="device"} 4',
  ])
  expect(text).toContain('# TYPE bio_energy_joules_total counter')
})

test('OpenTelemetry has hw.energy in J by component, the host apart, and method and bounds', async () => {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 1e6 })
  const provider = new MeterProvider({ readers: [reader] })
  const energy = openTelemetryEnergy(provider.getMeter('test'))
  for (const reading of [measured, estimated, unknown, host]) energy.record(reading)
  await provider.forceFlush()
  const metrics = exporter
    .getMetrics()
    .flatMap(({ scopeMetrics }) => scopeMetrics.flatMap((scope) => scope.metrics))
  await provider.shutdown()
  const points = (name: string): unknown[] =>
    metrics
      .filter(({ descriptor }) => descriptor.name === name)
      .flatMap(({ descriptor, dataPoints }) =>
        dataPoints.map(({ value, attributes }) => [
          value,
          descriptor.unit,
          attributes['hw.type'],
          attributes['hw.id'],
          attributes['bio.energy.method'],
        ]),
      )
  expect(points('hw.energy')).toEqual([
    [30, 'J', 'cpu', 'package-0 package-1', 'measured'],
    [5, 'J', 'cpu', 'cpu', 'estimated'],
  ])
  expect(points('hw.host.energy')).toEqual([[99, 'J', 'other', 'bmc', 'measured']])
  expect(points('bio.energy.low').map((point) => (point as number[])[0])).toEqual([29, 0, 99])
  expect(points('bio.energy.high').map((point) => (point as number[])[0])).toEqual([32, 20, 99])
  expect(points('bio.energy.unknown')).toEqual([[4, 's', 'gpu', 'gpu-0', 'unavailable']])
})

test.each<[string, (reading: Reading) => void]>([
  ['Prometheus', (reading) => prometheusEnergy({ client, registry: new client.Registry() }).record(reading)],
  ['OpenTelemetry', (reading) => openTelemetryEnergy(new MeterProvider().getMeter('test')).record(reading)],
])('%s refuses negative energy, which no counter can hold', (_, record) => {
  expect(() => record(difference)).toThrow(expect.objectContaining({ code: 'ERR_BIO_VALUE' }))
})

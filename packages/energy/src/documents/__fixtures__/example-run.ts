import { createReading, type Reading } from '../../reading/reading.js'
import { createRunRecord, type RunFields, type RunRecord } from '../run-record.js'

export const trainingEnergy: Reading = createReading({
  joules: 7.2e6,
  low: 6.8e6,
  high: 7.5e6,
  method: 'measured',
  source: 'rapl',
  domains: ['package-0', 'dram-0'],
  seconds: 36_000,
})

export const inferenceEnergy: Reading = createReading({
  joules: 557.25,
  low: 136,
  high: 2130,
  method: 'estimated',
  source: 'cpu-time',
  domains: ['cpu'],
  seconds: 60,
  reasons: ['no rapl: EACCES'],
})

export const exampleFields: RunFields = {
  model: { name: 'digits', version: '1.0.0', parameters: 1.2e6 },
  publisher: 'Example & Söhne',
  task: { family: 'image classification', description: 'handwritten digits: "MNIST"' },
  hardware: [{ kind: 'cpu', name: 'EPYC 7763', count: 2 }],
  software: [
    { name: 'node', version: '22.12.0' },
    { name: '@bio/tensor', version: '1.0.0' },
  ],
  location: { country: 'DE', region: 'Falkenstein' },
  startedAt: '2026-03-01T08:00:00.250Z',
  endedAt: '2026-03-01T18:01:00.750Z',
  phases: [
    { name: 'train', stage: 'training', energy: trainingEnergy, counts: { flops: 4.25e15 } },
    {
      name: 'serve',
      stage: 'inference',
      energy: inferenceEnergy,
      counts: { inputTokens: 2000, outputTokens: 100_000, requests: 50, flops: 2.4e11 },
    },
  ],
  intensity: {
    location: {
      basis: 'location',
      gramsPerKilowattHour: { low: 341, expected: 342, high: 475 },
      region: 'DE',
      year: 2025,
      source: 'Electricity Maps',
    },
    market: { basis: 'market', gramsPerKilowattHour: 12, region: 'Windstrom', year: 2025, source: 'contract' },
  },
  pue: 1.25,
}

export const exampleRun: RunRecord = createRunRecord(exampleFields)

/** The example with other phases. */
export function runOf(phases: RunFields['phases']): RunRecord {
  return createRunRecord({ ...exampleFields, phases })
}

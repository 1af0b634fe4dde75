import { StepScheduler } from '@bio/batching'
import { ActionInformation, EnergyMeter, entropyBits, surprisalBits, type ActionReport } from '@bio/energy'
import { PagedKvCache, type Sequence } from '@bio/kv-cache'
import { Decoder, decoderConfig, DecoderEngine, probabilities, type Sampling } from '@bio/models'
import { Rng } from '@bio/tensor'
import { expect, test } from 'vitest'

const vocabSize = 97
const config = decoderConfig({
  vocabSize,
  dim: 32,
  layers: 1,
  heads: 2,
  hidden: 32,
  experts: 4,
  topK: 2,
  maxPositions: 256,
})
const decoder = new Decoder(config, { rng: new Rng(1) })

/** What three requests of 10 tokens decide with this sampling. */
async function decided(sampling: Sampling): Promise<ActionReport> {
  await using meter = await EnergyMeter.open()
  const { layers, kvHeads, headDim } = config
  const cache = new PagedKvCache({ layers, kvHeads, headDim, blockTokens: 8, bytes: 2 ** 20 })
  const actions = new ActionInformation()
  const engine = new DecoderEngine(decoder, cache, {
    onDraw: ({ sampling: { seed } }, { token, logits }) =>
      actions.add({
        stream: String(seed),
        entropyBits: entropyBits(probabilities(logits, sampling)),
        surprisalBits: surprisalBits(probabilities(logits, {})[token]!),
      }),
  })
  const scheduler = new StepScheduler<Sequence, Sampling>({
    engine,
    cache,
    maxTokensPerStep: 64,
    maxSequences: 4,
  })
  const window = meter.begin()
  const start = performance.now()
  const generations = [1, 2, 3].map((seed) =>
    scheduler.submit({ prompt: Int32Array.of(seed, 5), maxTokens: 10, sampling: { ...sampling, seed } }),
  )
  await Promise.all(generations.map(({ result }) => result))
  const seconds = (performance.now() - start) / 1000
  return actions.report({ seconds, energy: window.end(), inputBits: 6 * Math.log2(vocabSize) })
}

test('generation reports the bits that it decided, per request and in sum, and joules per bit', async () => {
  const report = await decided({ temperature: 1 })
  expect(report.actions).toBe(30)
  expect(report.streams.map(({ actions }) => actions)).toEqual([10, 10, 10])
  // An untrained model is almost as unsure as can be.
  expect(report.entropyBits / 30).toBeGreaterThan(0.8 * Math.log2(vocabSize))
  expect(report.entropyBits / 30).toBeLessThanOrEqual(Math.log2(vocabSize))
  expect(report.surprisalBits).toBeGreaterThan(0)
  if (report.joulesPerBit === 'no choice') throw new Error('bits were decided')
  expect(report.joulesPerBit.method).not.toBe('unavailable')
})

test('a colder draw decides less, a greedy one nothing, and its surprisal stays', async () => {
  const [warm, cold, greedy] = await Promise.all([1, 0.05, 0].map((temperature) => decided({ temperature })))
  expect(cold!.entropyBits).toBeLessThan(warm!.entropyBits)
  expect(greedy).toMatchObject({ bitsPerSecond: 0, compression: 'no choice', joulesPerBit: 'no choice' })
  expect(greedy!.surprisalBits).toBeGreaterThan(0)
})

// What joules per request cost in throughput: the same decoding with the engine's step wrapped and as it is, in turns.
import { StepScheduler } from '../../../packages/batching/dist/index.js'
import { defaultSources, EnergyMeter, RequestEnergy } from '../../../packages/energy/dist/index.js'
import { PagedKvCache } from '../../../packages/kv-cache/dist/index.js'
import { Decoder, decoderConfig, DecoderEngine } from '../../../packages/models/dist/index.js'
import { quantize } from '../../../packages/precision/dist/index.js'
import { Rng } from '../../../packages/tensor/dist/index.js'
import { alternate } from '../../lib/alternate.mjs'
import { printRows, row } from '../../lib/rows.mjs'
import { median } from '../../lib/statistics.mjs'

const clients = 16

export async function requestsPart({ quick }) {
  const config = decoderConfig({
    vocabSize: 512,
    dim: 256,
    layers: 4,
    heads: 4,
    hidden: 512,
    experts: 4,
    topK: 2,
    maxPositions: 512,
  })
  const { model } = quantize(new Decoder(config, { rng: new Rng(1) }), { weights: 'int8' })
  const tokens = quick ? 32 : 128
  const rows = []
  for (const scope of ['process', 'machine']) {
    const meter = await EnergyMeter.open({ sources: defaultSources({ scope }) })
    const decode = (wrap) => () => decodeAll({ model, config, tokens, wrap })
    const energy = new RequestEnergy({ meter, key: ({ id }) => id, cost: (item) => item.tokens.length })
    const contenders = { plain: decode((step) => step), wrapped: decode((step) => energy.wrap(step)) }
    await alternate(contenders, 1)
    const rates = await alternate(contenders, quick ? 5 : 15)
    await meter.close()
    rows.push(
      row({
        subject: { part: 'requests', figure: `${clients} clients, estimate by ${scope}` },
        ours: median(rates.wrapped),
        unit: 'tokens per second',
        better: 'higher',
        msPerStep: (1000 * clients) / median(rates.plain),
        peers: [{ name: 'unmetered', value: median(rates.plain) }],
      }),
    )
  }
  printRows('Joules per request', rows)
  return rows
}

/** Tokens per second. */
async function decodeAll({ model, config: { layers, kvHeads, headDim }, tokens, wrap }) {
  const cache = new PagedKvCache({ layers, kvHeads, headDim, blockTokens: 16, bytes: 2 ** 26 })
  const engine = new DecoderEngine(model, cache)
  const scheduler = new StepScheduler({
    engine: { step: wrap((items) => engine.step(items)) },
    cache,
    maxTokensPerStep: 256,
    maxSequences: clients,
  })
  const start = performance.now()
  const generations = Array.from({ length: clients }, (_, client) =>
    scheduler.submit({
      prompt: Int32Array.of(client + 1, 7, 9),
      maxTokens: tokens,
      sampling: { temperature: 0 },
    }),
  )
  await Promise.all(generations.map(({ result }) => result))
  const rate = (1000 * clients * tokens) / (performance.now() - start)
  await scheduler.drain()
  cache[Symbol.dispose]?.()
  return rate
}

import {
  dataset,
  ewc,
  Learner,
  replay,
  type Dataset,
  type Batch,
  type Strategy,
  type Task,
} from '@bio/continual'
import { bitsPerByte, Decoder } from '@bio/models'
import { AdamW, crossEntropy, Rng, type Tensor } from '@bio/tensor'
import { Progress } from '../terminal/progress.js'
import type { ForgettingFigures, TourReport } from './report.js'
import type { TourSettings } from './settings.js'
import type { TourText } from './text.js'

/** Windows of a text one after the other, each with the bytes that follow. */
function windows(text: Uint8Array, length: number): Dataset {
  const count = Math.floor((text.length - 1) / length)
  return dataset({
    x: Int32Array.from(text.subarray(0, count * length)),
    y: Int32Array.from(text.subarray(1, 1 + count * length)),
    xShape: [length],
    yShape: [length],
  })
}

/** Cross-entropy of the next bytes, and the balance of the experts. */
function loss(model: Decoder, { x, y, size }: Batch): Tensor {
  const { logits, balanceLoss } = model.forward(x.reshape([x.size]), { batch: size })
  return crossEntropy(logits, y.reshape([y.size])).add(balanceLoss)
}

/**
 * Teaches the trained decoder a second text three times from the same weights: with nothing against forgetting, with elastic weight
 * consolidation, with replay; and measures what the first text costs afterwards.
 */
export async function continualStep(
  trained: Decoder,
  texts: readonly [first: TourText, second: TourText],
  settings: TourSettings,
  { signal }: { signal: AbortSignal },
): Promise<TourReport['continual']> {
  const { length, batch } = settings.train
  const { steps, learningRate, lambda, fisherSamples, capacity, replayBatch } = settings.continual
  const [first, second] = texts.map((text): Task => {
    const [train, test] = [
      windows(text.train, length),
      windows(text.test.subarray(0, settings.testBytes), length),
    ]
    return { name: text.name, train, test }
  }) as [Task, Task]
  const held = texts.map(({ test }) => test.subarray(0, settings.testBytes))
  const oldBefore = bitsPerByte(trained, held[0]!, { length })

  const learn = async (label: string, strategies: readonly Strategy[]): Promise<ForgettingFigures> => {
    const model = new Decoder(settings.model, {
      rng: new Rng(settings.seed),
      balance: settings.train.balance,
    })
    model.loadStateDict(trained.stateDict())
    const optimizer = new AdamW(model.parameters(), { lr: learningRate })
    const options = { batchSize: batch, epochs: 1, maxSteps: steps, loss, rng: new Rng(settings.seed) }
    const learner = new Learner(model, optimizer, strategies, options)
    const progress = new Progress(label, { total: steps })
    learner.remember(first)
    await learner.learn(second, {
      signal,
      onProgress: ({ step, loss: nats }) =>
        progress.update(step, `${(nats / Math.LN2).toFixed(2)} bits/byte in what it learns from`),
    })
    const oldAfter = bitsPerByte(model, held[0]!, { length })
    const fresh = bitsPerByte(model, held[1]!, { length })
    progress.end(
      `first text ${oldBefore.toFixed(2)} → ${oldAfter.toFixed(2)}, second ${fresh.toFixed(2)} bits/byte`,
    )
    return { oldBefore, oldAfter, new: fresh }
  }

  return {
    naive: await learn('naively', []),
    ewc: await learn('with EWC', [ewc({ lambda, fisher: { kind: 'empirical', samples: fisherSamples } })]),
    replay: await learn('with replay', [replay({ capacity, batchSize: replayBatch, seed: settings.seed })]),
  }
}

import { exitLoss } from '@bio/batching'
import { Classifier, classifierConfig } from '@bio/models'
import { AdamW, clipGradNorm, cosineSchedule, crossEntropy, fromData, Rng } from '@bio/tensor'
import { patches, pictures, shuffled, toPatches, type Digits } from './digits.js'
import type { Settings } from './settings.js'

/** Trains all heads of a classifier together: Σ_k w_k·crossEntropy_k, deeper heads heavier. */
export async function train(
  digits: Digits,
  settings: Settings,
  { signal, progress }: { signal: AbortSignal; progress: (done: number, note: string) => void },
): Promise<Classifier> {
  const { epochs, batch, learningRate, shift } = settings.train
  const rng = new Rng(settings.seed)
  const config = classifierConfig({ ...settings.model, features: patches.features, classes: 10 })
  const model = new Classifier(config, { rng: rng.fork(1) })
  const optimizer = new AdamW(model.parameters(), { lr: learningRate, weightDecay: 0.05 })
  const steps = Math.floor(digits.size / batch)
  const total = epochs * steps
  const schedule = cosineSchedule({
    lr: learningRate,
    warmup: Math.ceil(total / 20),
    total,
    min: learningRate / 20,
  })
  const [order, moves] = [rng.fork(2), rng.fork(3)]
  const move = (): { right: number; down: number } => ({
    right: moves.int(2 * shift + 1) - shift,
    down: moves.int(2 * shift + 1) - shift,
  })
  for (let epoch = 0; epoch < epochs; epoch++) {
    const rows = shuffled(digits.size, order)
    for (let step = 0; step < steps; step++) {
      // Ctrl-C gets its turn.
      await new Promise((turn) => setImmediate(turn))
      signal.throwIfAborted()
      const done = epoch * steps + step + 1
      optimizer.lr = schedule(done)
      const of = rows.subarray(step * batch, (step + 1) * batch)
      const labels = fromData(of.map((row) => digits.labels[row]!))
      const losses = model
        .forward(toPatches(pictures(digits, of, move)))
        .map((logits) => crossEntropy(logits, labels))
      const note = losses.map((loss) => loss.item().toFixed(3)).join(' / ')
      exitLoss(losses).backward()
      clipGradNorm(model.parameters(), 1)
      optimizer.step()
      optimizer.zeroGrad()
      progress(done / total, `loss of the heads ${note}`)
    }
  }
  return model.eval()
}

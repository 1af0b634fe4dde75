import type { EnergyMeter, Reading } from '@bio/energy'
import { bitsPerByte, Decoder, unigramBitsPerByte } from '@bio/models'
import { LoadMeter } from '@bio/sparse-moe'
import { AdamW, clipGradNorm, cosineSchedule, crossEntropy, Rng, TokenWindows } from '@bio/tensor'
import { Progress } from '../terminal/progress.js'
import { digits } from '../terminal/format.js'
import type { TrainFigures } from './report.js'
import type { TourSettings } from './settings.js'
import type { TourText } from './text.js'

/** Trains a byte-level decoder with experts on the first text, showing loss, expert load and joules as it goes. */
export async function train(
  text: TourText,
  settings: TourSettings,
  { meter, signal }: { meter: EnergyMeter; signal: AbortSignal },
): Promise<{ decoder: Decoder; figures: TrainFigures }> {
  const { steps, batch, length, learningRate, balance } = settings.train
  const rng = new Rng(settings.seed)
  const decoder = new Decoder(settings.model, { rng: rng.fork(1), balance })
  const optimizer = new AdamW(decoder.parameters(), { lr: learningRate, weightDecay: 0.01 })
  const schedule = cosineSchedule({
    lr: learningRate,
    warmup: Math.ceil(steps / 20),
    total: steps,
    min: learningRate / 10,
  })
  const windows = new TokenWindows(Int32Array.from(text.train), { length, batch, rng: rng.fork(2) })
  const test = text.test.subarray(0, settings.testBytes)
  const bitsPerByteStart = bitsPerByte(decoder, test, { length })
  const loads = Array.from(
    { length: settings.model.layers },
    () => new LoadMeter({ experts: settings.model.experts }),
  )
  const curve = { step: [] as number[], bitsPerByte: [] as number[], energy: [] as Reading[] }
  const progress = new Progress('training', { total: steps })
  const window = meter.begin('train')
  const start = performance.now()
  for (let step = 1; step <= steps; step++) {
    signal.throwIfAborted()
    optimizer.lr = schedule(step)
    const { x, y } = windows.next()
    const { logits, balanceLoss, experts } = decoder.forward(x, { batch })
    const loss = crossEntropy(logits, y)
    loss.add(balanceLoss).backward()
    clipGradNorm(decoder.parameters(), 1)
    optimizer.step()
    optimizer.zeroGrad()
    if (step > steps * 0.9) experts.forEach((aux, layer) => loads[layer]!.add(aux.counts))
    if (step % 5 === 0 || step === 1) {
      const bits = loss.item() / Math.LN2
      const energy = window.read()
      curve.step.push(step)
      curve.bitsPerByte.push(bits)
      curve.energy.push(energy)
      const violation = Math.max(...experts.map((aux) => aux.maxViolation))
      const rate = (step * batch * length * 1000) / (performance.now() - start)
      progress.update(
        step,
        `${bits.toFixed(2)} bits/byte, busiest expert +${(violation * 100).toFixed(0)} %, ${energy.joules === null ? 'joules unknown' : `${digits(energy.joules)} J ${energy.method}`}, ${digits(rate / 1000)} k bytes/s`,
      )
      // Ctrl-C, timers and the meter get their turn.
      await new Promise((turn) => setImmediate(turn))
    }
  }
  const seconds = (performance.now() - start) / 1000
  const energy = window.end()
  decoder.eval()
  const bitsPerByteEnd = bitsPerByte(decoder, test, { length })
  progress.end(`${bitsPerByteEnd.toFixed(2)} bits/byte on held-out text`)
  const figures: TrainFigures = {
    text: text.name,
    parameters: decoder.parameters().reduce((sum, parameter) => sum + parameter.size, 0),
    steps,
    seconds,
    bitsPerByteStart,
    bitsPerByteEnd,
    unigramBitsPerByte: unigramBitsPerByte(test),
    tokensPerSecond: (steps * batch * length) / seconds,
    maxViolation: Math.max(...loads.map((load) => load.maxViolation)),
    deadExperts: loads.reduce((sum, load) => sum + load.deadExperts, 0),
    energy,
    curve: {
      step: curve.step,
      bitsPerByte: curve.bitsPerByte,
      joules: curve.energy.map(({ joules }) => joules),
      low: curve.energy.map(({ low }) => low),
      high: curve.energy.map(({ high }) => high),
    },
    expertLoad: loads.map((load) => Array.from(load.load)),
  }
  return { decoder, figures }
}

// Trains the model of this example and writes `digits.onnx`: npm run train -- FOLDER (the one of optdigits.tra and optdigits.tes, from UCI).
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { AdamW, crossEntropy, fromData, Linear, noGrad, Rng } from '@bio/tensor'
import { onnxMlp } from '../../../bench/lib/onnx-mlp.mjs'

const folder = process.argv[2]
if (folder === undefined) {
  console.error('usage: npm run train -- FOLDER   (the one of optdigits.tra and optdigits.tes)')
  process.exit(1)
}

const pixels = 64
const batchSize = 64
const epochs = 30

/** Each line: 64 pixels from 0 to 16, then the label. */
function readDigits(file) {
  const lines = readFileSync(join(folder, file), 'utf8').split('\n')
  const rows = lines.filter((line) => /^\d/.test(line)) // some copies begin with a header
  return rows.map((row) => {
    const values = row.split(',').map(Number)
    return { x: values.slice(0, pixels).map((value) => value / 16), y: values[pixels] }
  })
}

function batchOf(digits) {
  return {
    x: fromData(Float32Array.from(digits.flatMap(({ x }) => x)), [digits.length, pixels]),
    y: fromData(
      Int32Array.from(digits, ({ y }) => y),
      [digits.length],
    ),
  }
}

const rng = new Rng(0)
const layers = [new Linear(pixels, 128, { rng }), new Linear(128, 10, { rng })]
const forward = (x) => layers[1].forward(layers[0].forward(x).relu()) // [batch, 10]
const optimizer = new AdamW(
  layers.flatMap((layer) => [...layer.parameters()]),
  { lr: 2e-3, weightDecay: 0.01 },
)

const train = readDigits('optdigits.tra')
for (let epoch = 0; epoch < epochs; epoch++) {
  const order = rng.permutation(train.length)
  for (let start = 0; start < train.length; start += batchSize) {
    const { x, y } = batchOf(Array.from(order.subarray(start, start + batchSize), (index) => train[index]))
    const loss = crossEntropy(forward(x), y)
    loss.backward()
    optimizer.step()
    optimizer.zeroGrad()
  }
}

const test = readDigits('optdigits.tes')
const logits = noGrad(() => forward(batchOf(test).x)).data // [test, 10]
const right = test.filter(({ y }, index) => {
  const scores = logits.subarray(10 * index, 10 * index + 10)
  return scores.indexOf(Math.max(...scores)) === y
})
const file = onnxMlp(
  layers.map(({ weight, bias, inFeatures, outFeatures }) => ({
    weight: weight.data,
    bias: bias.data,
    inputs: inFeatures,
    outputs: outFeatures,
  })),
)
writeFileSync(new URL('../digits.onnx', import.meta.url), file)
console.log(
  `accuracy on ${test.length} digits unseen: ${(right.length / test.length).toFixed(3)}; ${file.length} bytes written`,
)

// Training as a user writes it: MLP steps and a mixture of experts through @bio/tensor; and the exact squared gradients.
import { MoE, noBalance, softmaxTopK } from '../../../packages/sparse-moe/dist/index.js'
import {
  AdamW,
  crossEntropy,
  fromData,
  Linear,
  Module,
  observeLinear,
  Rng,
  SGD,
} from '../../../packages/tensor/dist/index.js'
import { threadCounts } from '../limits.mjs'
import { measure } from '../measure.mjs'

const sizes = [784, 400, 400, 10]

export async function trainingPart(bench) {
  const rows = []
  for (const threads of threadCounts(bench.kernels)) {
    rows.push(await mlpStep(bench, { batch: 128, optimizer: 'adam', lr: 1e-3, threads, ratio: 1 / 0.6 }))
    rows.push(await mlpStep(bench, { batch: 10, optimizer: 'sgd', lr: 0.1, threads, ratio: 1 / 0.35 }))
  }
  rows.push(
    await moeStep(bench, {
      tokens: bench.quick ? 128 : 512,
      dim: 256,
      hidden: 512,
      experts: 8,
      topK: 2,
      threads: 1,
    }),
  )
  rows.push(await squares(bench, { batch: 128, n: 400, k: 784, threads: 1 }))
  rows.push(await fisher(bench, { batch: 128, threads: 1 }))
  return rows
}

class Mlp extends Module {
  constructor(noise) {
    super()
    const rng = new Rng(1)
    this.layers = sizes.slice(1).map((outputs, index) => new Linear(sizes[index], outputs, { rng }))
    this.layers.forEach(({ weight, bias, inFeatures }, index) => {
      weight.data.set(noise.take(10 + index, weight.size).map((value) => value / Math.sqrt(inFeatures)))
      bias.data.fill(0)
    })
  }

  forward(x) {
    const [first, second, third] = this.layers
    return third.forward(second.forward(first.forward(x).relu()).relu()) // [batch, 10]
  }
}

/** Compared by the first layer's weight after one step from the same start. */
function mlpStep(bench, { batch, optimizer, lr, threads, ratio }) {
  const model = new Mlp(bench.noise)
  const x = fromData(bench.noise.take(1, batch * sizes[0]), [batch, sizes[0]])
  const targets = fromData(Int32Array.from({ length: batch }, (_, row) => row % 10))
  const step =
    optimizer === 'adam'
      ? new AdamW(model.parameters(), { lr, weightDecay: 0 })
      : new SGD(model.parameters(), { lr })
  return measure(bench, {
    subject: { kernel: `MLP step, ${optimizer}`, shape: `${sizes.join('-')}, batch ${batch}`, threads },
    ours: {
      run() {
        step.minimize(crossEntropy(model.forward(x), targets))
      },
      get output() {
        return model.layers[0].weight.data
      },
    },
    peers: [['torch.mlp_step', { batch, sizes, optimizer, lr }]],
    unit: 'µs',
    tolerance: 1e-3,
    wants: { ratios: { PyTorch: ratio } },
  })
}

function moeStep(bench, { tokens, dim, hidden, experts, topK, threads }) {
  const { noise } = bench
  const moe = new MoE({
    dim,
    hidden,
    experts,
    router: softmaxTopK({ topK }),
    balance: noBalance(),
    rng: new Rng(1),
  })
  const start = { 'router.weight': [2, dim], 'gateUp.weight': [3, dim], 'down.weight': [4, hidden] }
  const parameters = moe.stateDict()
  for (const [name, [seed, fanIn]] of Object.entries(start)) {
    const { data } = parameters[name]
    data.set(noise.take(seed, data.length).map((value) => value / Math.sqrt(fanIn)))
  }
  const x = fromData(noise.take(1, tokens * dim), [tokens, dim], { requiresGrad: true })
  const optimizer = new SGD([x, ...moe.parameters()], { lr: 0.1 }) // only for its zeroGrad
  let output
  return measure(bench, {
    subject: {
      kernel: 'MoE forward + backward',
      shape: `${experts}/${topK}/${dim}/${hidden}, T = ${tokens}`,
      threads,
    },
    ours: {
      run() {
        const { y } = moe.forward(x)
        output = y.data.slice()
        y.sum().backward()
        optimizer.zeroGrad()
      },
      get output() {
        return output
      },
    },
    peers: [['torch.moe_step', { tokens, dim, hidden, experts, top_k: topK }]],
    unit: 'µs',
    tolerance: 1e-3,
    wants: { ratios: { PyTorch: 2 } },
  })
}

/** Σ over samples of the squared gradient of a Linear weight: at once, beside the gradient of the mean, and sample by sample. */
function squares(bench, { batch, n, k, threads }) {
  const { kernels, noise } = bench
  const [dy, x] = [noise.take(1, batch * n), noise.take(2, batch * k)]
  const [out, gradient, sum] = [new Float32Array(n * k), new Float32Array(n * k), new Float32Array(n * k)]
  const rows = Array.from({ length: batch }, (_, row) => [
    dy.subarray(row * n, (row + 1) * n),
    x.subarray(row * k, (row + 1) * k),
  ])
  return measure(bench, {
    subject: { kernel: 'squareAccumulate', shape: `batch ${batch}, ${n}×${k}`, threads },
    ours: { run: () => kernels.squareAccumulate(out, dy, x, { rows: batch, n, k }) },
    against: {
      'ours, batch mean': () => kernels.matmul(gradient, dy, x, { m: n, n: k, k: batch, transposeA: true }),
      'ours, batch-1 loop'() {
        for (const [dyRow, xRow] of rows) {
          kernels.matmul(gradient, dyRow, xRow, { m: n, n: k, k: 1 })
          kernels.multiply(gradient, gradient, gradient)
          kernels.add(sum, sum, gradient)
        }
      },
    },
    unit: 'µs',
    wants: { ratios: { 'ours, batch mean': 1 / 2.5, 'ours, batch-1 loop': 40 } },
  })
}

/** Squared gradients of 128 items for a whole model (its empirical Fisher diagonal), as a user gets them: forward, backward, square, add. */
function fisher(bench, { batch, threads }) {
  const { kernels, noise } = bench
  const model = new Mlp(noise)
  const x = fromData(noise.take(1, batch * sizes[0]), [batch, sizes[0]])
  const targets = Int32Array.from({ length: batch }, (_, row) => row % 10)
  const y = fromData(targets)
  const items = Array.from({ length: batch }, (_, row) => [
    fromData(x.data.subarray(row * sizes[0], (row + 1) * sizes[0]), [1, sizes[0]]),
    fromData(targets.subarray(row, row + 1)),
  ])
  const diagonal = new Map(
    model.parameters().map((parameter) => [parameter, new Float32Array(parameter.size)]),
  )
  const biasOf = new Map(model.layers.map(({ weight, bias }) => [weight, bias]))
  const squaresOf = new Map(
    model.layers.map(({ weight, outFeatures }) => [weight, new Float32Array(batch * outFeatures)]),
  )
  const forget = () => diagonal.forEach((sums) => sums.fill(0))
  const addSquaredGradients = () => {
    for (const [parameter, sums] of diagonal) {
      const { data } = parameter.grad
      kernels.multiply(data, data, data)
      kernels.add(sums, sums, data)
    }
    model.zeroGrad()
  }
  return measure(bench, {
    subject: { kernel: 'Fisher diagonal of an MLP', shape: `${sizes.join('-')}, ${batch} items`, threads },
    ours: {
      run() {
        forget()
        observeLinear(
          (weight, dy, input) => {
            const [n, k] = weight.shape
            kernels.squareAccumulate(diagonal.get(weight), dy, input, { rows: batch, n, k })
            const dySquared = squaresOf.get(weight)
            kernels.multiply(dySquared, dy, dy)
            kernels.sumRows(diagonal.get(biasOf.get(weight)), dySquared, { rows: batch, columns: n })
          },
          () => crossEntropy(model.forward(x), y, { reduction: 'sum' }).backward(),
        )
        model.zeroGrad()
      },
      get output() {
        return diagonal.get(model.layers[0].weight)
      },
    },
    against: {
      'ours, batch mean'() {
        crossEntropy(model.forward(x), y).backward()
        addSquaredGradients()
      },
      'ours, batch-1 loop'() {
        for (const [one, target] of items) {
          crossEntropy(model.forward(one), target).backward()
          addSquaredGradients()
        }
      },
    },
    peers: [['torch.fisher_loop', { batch, sizes }]],
    unit: 'µs',
    tolerance: 1e-3,
    wants: { ratios: { 'ours, batch mean': 1 / 2.5, 'ours, batch-1 loop': 40, PyTorch: 40 } },
  })
}

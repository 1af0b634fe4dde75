// A layer of experts beside a dense SwiGLU layer that does the same number of multiplications per token, in one run:
// `node packages/sparse-moe/bench/against-dense.mjs` after a build. The two alternate; median of 15 rounds, after 3 to warm up.
import { performance } from 'node:perf_hooks'
import { MoE, softmaxTopK } from '@bio/sparse-moe'
import { Linear, Module, noGrad, randn, Rng, scope, swiglu } from '@bio/tensor'

const [dim, hidden, experts, topK] = [256, 512, 8, 2]
const rng = new Rng(1)

class Dense extends Module {
  gateUp = new Linear(dim, 2 * topK * hidden, { bias: false, rng })
  down = new Linear(topK * hidden, dim, { bias: false, rng })
  forward(x) {
    return this.down.forward(swiglu(this.gateUp.forward(x)))
  }
}

const dense = new Dense()
const moe = new MoE({ dim, hidden, experts, router: softmaxTopK({ topK }), rng })

function train(layer, loss) {
  loss.backward()
  layer.zeroGrad()
}

const passes = {
  inference: {
    dense: (x) => noGrad(() => scope(() => dense.forward(x))),
    moe: (x) => noGrad(() => scope(() => moe.forward(x).y)),
  },
  training: {
    dense: (x) => train(dense, dense.forward(x).sum()),
    moe: (x) => {
      const { y, aux } = moe.forward(x)
      train(moe, y.sum().add(aux.loss))
    },
  },
}

function milliseconds(pass, x) {
  const start = performance.now()
  pass(x)
  return performance.now() - start
}

function median(values) {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]
}

console.log(`dim ${dim}, hidden ${hidden}, ${experts} experts, topK ${topK}`)
for (const tokens of [1, 16, 512, 2048]) {
  const x = randn([tokens, dim], { rng, requiresGrad: true })
  for (const [name, { dense: one, moe: many }] of Object.entries(passes)) {
    const times = { dense: [], moe: [] }
    for (let round = 0; round < 18; round += 1) {
      const [a, b] = [milliseconds(one, x), milliseconds(many, x)]
      if (round < 3) continue
      times.dense.push(a)
      times.moe.push(b)
    }
    const [a, b] = [median(times.dense), median(times.moe)]
    console.log(
      `${name}, ${tokens} tokens: dense ${a.toFixed(3)} ms, experts ${b.toFixed(3)} ms, ${(b / a).toFixed(2)} times`,
    )
  }
}

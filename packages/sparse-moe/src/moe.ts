import { BioError } from '@bio/errors'
import {
  gatherRows,
  GroupedLinear,
  linear,
  Module,
  scatterAddRows,
  swiglu,
  swigluExperts,
  type Rng,
  type Tensor,
} from '@bio/tensor'
import type { Balance } from './balance/balance.js'
import { balanceLoss } from './balance/balance-loss.js'
import { switchLoss } from './balance/switch-loss.js'
import { zLoss } from './balance/z-loss.js'
import { checkCoefficient, checkCount } from './checks.js'
import { sortByExpert } from './dispatch/sort-by-expert.js'
import type { Router, Routing } from './router/router.js'
import { RouterWeight } from './router/router-weight.js'
import { measureLoad, type ExpertLoad } from './telemetry/load.js'
import { routerEntropy } from './telemetry/router-entropy.js'

export interface MoEOptions {
  /** Width of x and y. */
  readonly dim: number
  /** Width inside each expert. */
  readonly hidden: number
  readonly experts: number
  readonly router: Router
  /** Default `switchLoss({ alpha: 0.01 })`. */
  readonly balance?: Balance
  /** Coefficient of the router's z-loss; 0 by default, 1e-3 in ST-MoE. */
  readonly zLoss?: number
  readonly rng: Rng
}

/** What a forward pass says beside its output. */
export interface MoEAux extends ExpertLoad {
  /** Scalar to add to the task's loss: balance + z-loss. */
  readonly loss: Tensor
  /** [experts] choices that fell on each expert; sums to tokens·topK. Feed it to a `LoadMeter`. */
  readonly counts: Int32Array
  /** Mean entropy of the router in nats: log(experts) without opinion, 0 when certain. */
  readonly routerEntropy: number
}

/**
 * A mixture of SwiGLU experts, of which each token visits `topK`; nothing is dropped.
 *
 * y = Σ_{e chosen} w_e·W_down[e]·(silu(g) ⊙ u) with [g; u] = W_gateUp[e]·x, and w from the router on logits W_router·x. Rows are sorted
 * by expert, so that each expert is one matrix product. A token's output has the same bits whatever the batch around it.
 *
 * State: `router.weight` [experts, dim], `gateUp.weight` [experts, 2·hidden, dim] (gate rows first), `down.weight` [experts, dim, hidden].
 * Errors: ERR_BIO_CONFIG (options), ERR_BIO_SHAPE (x), ERR_BIO_INDEX (a router of your own that selects no expert). Shazeer et al. 2017 (arXiv:1701.06538), Jiang et al. 2024 (arXiv:2401.04088).
 *
 * @example
 * ```ts
 * import { MoE, softmaxTopK, switchLoss } from '@bio/sparse-moe'
 * import { randn, Rng } from '@bio/tensor'
 *
 * const rng = new Rng(1)
 * const moe = new MoE({ dim: 16, hidden: 32, experts: 4, router: softmaxTopK({ topK: 2 }), rng })
 * const { y, aux } = moe.forward(randn([10, 16], { rng }))
 * y.sum().add(aux.loss).backward()
 * console.log(y.shape.join(), aux.counts.length) // => 10,16 4
 * ```
 */
export class MoE extends Module {
  readonly dim: number
  readonly experts: number
  readonly router: RouterWeight
  readonly gateUp: GroupedLinear
  readonly down: GroupedLinear
  readonly routing: Router
  readonly balance: Balance
  readonly zLoss: number

  constructor(options: MoEOptions) {
    super()
    const { dim, hidden, experts, router, balance = switchLoss({ alpha: 0.01 }), rng } = options
    for (const [name, size] of Object.entries({ dim, hidden, experts })) checkCount('MoE', name, size)
    checkCount('MoE', 'router.topK', router.topK)
    checkCoefficient('MoE', 'zLoss', options.zLoss ?? 0)
    if (router.topK > experts) {
      throw new BioError('ERR_BIO_CONFIG', {
        operation: 'MoE',
        expected: `a router with topK up to ${experts} experts`,
        received: `topK ${router.topK}`,
      })
    }
    this.dim = dim
    this.experts = experts
    this.routing = router
    this.balance = balance
    this.zLoss = options.zLoss ?? 0
    this.router = new RouterWeight({ experts, dim, rng })
    this.gateUp = new GroupedLinear(experts, dim, 2 * hidden, { rng })
    this.down = new GroupedLinear(experts, hidden, dim, { rng })
  }

  /** @param x [tokens, dim], at least one token */
  forward(x: Tensor): { y: Tensor; aux: MoEAux } {
    checkInput(x, this.dim)
    const logits = linear(x, this.router.weight) // [tokens, experts]
    const routing = this.routing.route(logits)
    const { topK } = this.routing
    const { counts, offsets, choices, tokens } = sortByExpert(routing.selected, {
      experts: this.experts,
      topK,
    })

    const { gateUp, down } = this
    const outputs = // [slots, dim]
      isPlain(gateUp) && isPlain(down)
        ? swigluExperts(gatherRows(x, tokens), gateUp.weight, down.weight, offsets)
        : down.forward(swiglu(gateUp.forward(x, offsets, tokens)), offsets)
    const scales = gatherRows(routing.weights.reshape([choices.length]), choices) // [slots]
    const y = scatterAddRows(outputs, tokens, { rows: x.shape[0]!, scales }) // [tokens, dim]
    return { y, aux: this.measure(logits, routing, counts) }
  }

  private measure(logits: Tensor, { probabilities }: Routing, counts: Int32Array): MoEAux {
    const load = measureLoad(counts)
    const balance = balanceLoss(probabilities, load.load, this.balance)
    const coefficient = this.zLoss
    return {
      ...load,
      loss: coefficient === 0 ? balance : balance.add(zLoss(logits, probabilities, { coefficient })),
      counts,
      routerEntropy: routerEntropy(
        logits.data as Float32Array,
        probabilities.data as Float32Array,
        this.experts,
      ),
    }
  }
}

/** Whether a layer computes what its weight says, and nothing has taken its place: packed weights have products of their own. */
const isPlain = (layer: GroupedLinear): boolean => layer.forward === GroupedLinear.prototype.forward

function checkInput(x: Tensor, dim: number): void {
  if (x.shape.length === 2 && x.shape[0]! > 0 && x.shape[1] === dim) return
  throw new BioError('ERR_BIO_SHAPE', {
    operation: 'MoE.forward',
    expected: `x [tokens, ${dim}] with at least one token`,
    received: `[${x.shape.join(', ')}]`,
    ...(x.shape.length > 2 ? { hint: 'Reshape x to [tokens, dim].' } : {}),
  })
}

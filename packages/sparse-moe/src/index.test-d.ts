import type { Tensor } from '@bio/tensor'
import { expectTypeOf } from 'vitest'
import { LoadMeter, MoE, softmaxTopK, type Balance, type Router } from './index.js'

// what a forward pass counts goes into a meter
expectTypeOf<ReturnType<MoE['forward']>['aux']['counts']>().toExtend<Parameters<LoadMeter['add']>[0]>()
expectTypeOf<ReturnType<MoE['forward']>['y']>().toEqualTypeOf<Tensor>()

// routers and balances of one's own are plain objects
expectTypeOf(softmaxTopK).returns.toEqualTypeOf<Router>()
expectTypeOf<{ evaluate(p: Float64Array): { loss: number; gradient: Float64Array } }>().toExtend<Balance>()

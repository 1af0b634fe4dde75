import { expectTypeOf } from 'vitest'
import {
  AdamW,
  apply,
  Linear,
  mapModules,
  Module,
  noGrad,
  Rng,
  savedTensorHooks,
  scope,
  Sequential,
  tensor,
  type Optimizer,
  type Tensor,
} from './index.js'

// whatever a function returns comes through the state around it
expectTypeOf(noGrad(() => 1)).toEqualTypeOf<number>()
expectTypeOf(scope(() => ({ y: tensor([1]) }))).toEqualTypeOf<{ y: Tensor }>()

// hooks: what is packed is what is unpacked
savedTensorHooks({ pack: (saved) => saved.size, unpack: (size) => tensor([size]) }, () => tensor([1]))
// @ts-expect-error the handle is a number
savedTensorHooks({ pack: (saved) => saved.size, unpack: (size: string) => tensor([size.length]) }, () => 1)

// a model keeps its type through mapModules, and its layers take and give tensors
const layer = new Linear(2, 3, { rng: new Rng(0) })
expectTypeOf(mapModules(new Sequential(layer), () => undefined)).toEqualTypeOf<Sequential>()
expectTypeOf(layer.forward).toEqualTypeOf<(x: Tensor) => Tensor>()
expectTypeOf(layer.bias).toEqualTypeOf<Tensor | undefined>()
// @ts-expect-error randomness is explicit
new Linear(2, 3, {}).forward(tensor([1, 2]))
// @ts-expect-error a module without forward is no layer
new Sequential(new (class Plain extends Module {})()).parameters()

// both optimisers are one type, and lr may be set at any time
expectTypeOf(new AdamW(layer.parameters(), { lr: 1 })).toExtend<Optimizer>()
expectTypeOf<Optimizer['lr']>().toEqualTypeOf<number>()

// shapes and sizes can't be written to
// @ts-expect-error read-only
layer.weight.shape[0] = 1
// @ts-expect-error gradients are f32
apply({ name: 'x', inputs: [], forward: () => ({ shape: [], data: [1] }), backward: () => [] })

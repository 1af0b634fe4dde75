import type { GroupedLinear, Linear, Sequential } from '@bio/tensor'
import { expectTypeOf } from 'vitest'
import { quantize, type PackedGroupedLinear, type PackedLinear } from './index.js'

// what takes the place of a layer is called as the layer was
expectTypeOf<PackedLinear['forward']>().toExtend<Linear['forward']>()
expectTypeOf<PackedGroupedLinear['forward']>().toExtend<GroupedLinear['forward']>()

// the copy has the type of the model
expectTypeOf(quantize<Sequential>)
  .returns.toHaveProperty('model')
  .toEqualTypeOf<Sequential>()

// @ts-expect-error a format must be chosen
expectTypeOf(quantize).toBeCallableWith({} as Sequential, {})

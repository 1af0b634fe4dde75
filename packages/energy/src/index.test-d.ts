import { expectTypeOf } from 'vitest'
import { EnergyMeter, type EnergyWindow, type Measurement, type NvmlLike, type Reading } from './index.js'

// joules may be unknown, and the type says so
expectTypeOf<Reading['joules']>().toEqualTypeOf<number | null>()

declare const reading: Reading
if (reading.joules !== null) expectTypeOf(reading.low).toEqualTypeOf<number>()
else expectTypeOf(reading.method).toEqualTypeOf<'unavailable'>()

declare const meter: EnergyMeter
expectTypeOf(meter.begin('step')).toEqualTypeOf<EnergyWindow>()
expectTypeOf(meter.measure(() => 1)).toEqualTypeOf<Promise<Measurement>>()
expectTypeOf(meter.begin('step').end()).toEqualTypeOf<Reading>()

// a meter fits what continual learning and serving ask for by structure
expectTypeOf(meter).toExtend<{
  begin(label: string): { end(): { joules: number | null; method: string; reasons: readonly string[] } }
}>()

// any binding with these two calls can be the GPU library
expectTypeOf({
  devices: () => [{ index: 0, name: 'x' }],
  totalEnergyMillijoules: () => 1,
}).toExtend<NvmlLike>()

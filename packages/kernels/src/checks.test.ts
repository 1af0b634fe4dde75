import { isBioError } from '@bio/errors'
import { describe, expect, test } from 'vitest'
import type { Kernels, SparseMatrix } from './interface.js'
import { calls, type Call } from './testing/calls.js'
import { native } from './testing/native-tiers.js'
import { createTypeScriptKernels } from './typescript.js'

const backends = [createTypeScriptKernels(), ...(native === undefined ? [] : [native])]

type Arrays = Float32Array | Int32Array | Uint16Array | Int8Array | Uint8Array
const isArray = (value: unknown): value is Arrays => ArrayBuffer.isView(value)

/** Every array of a call with the way to put another in its place: an argument, or a field of the last one. */
function arrays(call: Call): { array: Arrays; put: (value: unknown) => unknown[] }[] {
  const last = call.args.length - 1
  const options = call.args[last] as Record<string, unknown>
  const fields = isArray(options) || typeof options !== 'object' ? [] : Object.entries(options)
  return [
    ...call.args.flatMap((array, index) =>
      isArray(array) ? [{ array, put: (value: unknown) => call.args.with(index, value) }] : [],
    ),
    ...fields.flatMap(([key, array]) =>
      isArray(array)
        ? [{ array, put: (value: unknown) => call.args.with(last, { ...options, [key]: value }) }]
        : [],
    ),
  ]
}

function detached(array: Arrays): Arrays {
  const copy = array.slice()
  structuredClone(copy.buffer, { transfer: [copy.buffer] })
  return copy
}

function shared(array: Arrays): Arrays {
  const type = array.constructor as new (buffer: SharedArrayBuffer) => Arrays
  const copy = new type(new SharedArrayBuffer(array.byteLength))
  copy.set(array)
  return copy
}

describe.each(backends)('$backend', (kernels) => {
  const all = calls(kernels)

  function run({ name }: Call, args: readonly unknown[]): unknown {
    return (kernels[name] as (...args: unknown[]) => unknown)(...args)
  }

  /** Runs a call that must be refused with one of the codes, and must not touch what it would have written. */
  function expectRefused(call: Call, args: readonly unknown[], codes: readonly string[]): void {
    const outputs = args
      .slice(0, call.outputs)
      .filter((value) => isArray(value) && value.length > 0) as Arrays[]
    const before = outputs.map((array) => array.slice())
    let code: unknown
    try {
      run(call, args)
    } catch (error) {
      code = (error as { code?: unknown }).code ?? error
      expect(isBioError(error), String(error)).toBe(true)
    }
    expect(codes).toContain(code)
    outputs.forEach((array, index) => expect(array).toEqual(before[index]))
  }

  describe.each(all)('$name', (call) => {
    test('accepts what it should', () => {
      run(call, call.args)
    })

    test('refuses arrays that are too short, of another type, detached or shared, and writes nothing', () => {
      for (const { array, put } of arrays(call)) {
        const wrong =
          array instanceof Float32Array ? new Int32Array(array.length) : new Float32Array(array.length)
        // An array whose length is free may be read as fewer rows: then another argument, or an index, no longer fits.
        const free = call.name === 'sum' || call.name === 'sumOfSquares'
        if (!free) expectRefused(call, put(array.slice(0, -1)), ['ERR_BIO_SHAPE', 'ERR_BIO_INDEX'])
        expectRefused(call, put(wrong), ['ERR_BIO_SHAPE'])
        expectRefused(call, put(detached(array)), ['ERR_BIO_BUFFER', 'ERR_BIO_SHAPE', 'ERR_BIO_INDEX'])
        expectRefused(call, put(shared(array)), ['ERR_BIO_BUFFER'])
      }
    })

    test('refuses an output that shares memory with another argument, one value apart', () => {
      const given = call.args.filter(isArray)
      for (let output = 0; output < call.outputs; output++) {
        for (let other = 0; other < given.length; other++) {
          const [a, b] = [given[output]!, given[other]!]
          if (output === other || a.constructor !== b.constructor) continue
          const type = a.constructor as new (buffer: ArrayBuffer, offset: number, length: number) => Arrays
          const buffer = new ArrayBuffer((Math.max(a.length, b.length) + 1) * a.BYTES_PER_ELEMENT)
          const index = call.args.indexOf(b)
          const first = new type(buffer, 0, a.length)
          const second = new type(buffer, a.BYTES_PER_ELEMENT * Math.min(1, a.length - 1), b.length)
          expectRefused(call, call.args.with(output, first).with(index, second), ['ERR_BIO_OVERLAP'])
        }
      }
    })

    test.runIf(call.inPlace !== undefined)('works in place with the bits that it has apart', () => {
      for (const input of call.inPlace!) {
        const apart = call.args.map((value) => (isArray(value) ? value.slice() : value))
        const inPlace = call.args.map((value) => (isArray(value) ? value.slice() : value))
        inPlace[0] = inPlace[input]
        // `addScaled` adds to its output: apart, it begins as the same values.
        if (call.name === 'addScaled') apart[0] = (apart[input] as Float32Array).slice()
        run(call, apart)
        run(call, inPlace)
        expect(inPlace[0]).toEqual(apart[0])
      }
    })
  })

  test('every kernel of the interface is in the table', () => {
    const without = ['setThreads', 'probeReadBandwidth', 'probePeak', 'pack', 'packZeros', 'packSparse']
    const names = Object.keys(kernels).filter((key) => typeof kernels[key as keyof Kernels] === 'function')
    expect(all.map(({ name }) => name).toSorted()).toEqual(
      names.filter((name) => !without.includes(name)).toSorted(),
    )
  })

  const call = (name: string): Call => all.find((entry) => entry.name === name)!
  const nan = (array: Arrays): Arrays => array.slice().fill(NaN, 0, 1)

  test.each(['dequantizeInt8', 'dequantizeInt4', 'quantizeInt8', 'quantizeInt4'])(
    '%s refuses NaN and infinity where it would quantize or scale by them',
    (name) => {
      const { args } = call(name)
      const [index, array] = [2, args[2] as Arrays]
      expectRefused(call(name), args.with(index, nan(array)), ['ERR_BIO_VALUE'])
      expectRefused(call(name), args.with(index, array.slice().fill(-Infinity, 1, 2)), ['ERR_BIO_VALUE'])
    },
  )

  test.each(['int8', 'int4'] as const)('pack refuses NaN weights in %s', (dtype) => {
    const weights = new Float32Array(32)
    weights[5] = NaN
    expect(() => kernels.pack(weights, { dtype, rows: 1, columns: 32 })).toThrow(
      expect.objectContaining({ code: 'ERR_BIO_VALUE' }) as Error,
    )
  })

  test.each([
    ['gatherRows', 2, Int32Array.of(0, 4, 0)],
    ['gatherRows', 2, Int32Array.of(0, -1, 0)],
    ['scatterAddRows', 2, Int32Array.of(0, 4, 0)],
    ['scatterAddRowsBackward', 4, Int32Array.of(0, 4, 0)],
    ['crossEntropy', 3, Int32Array.of(0, 4, 0)],
    ['crossEntropyBackward', 4, Int32Array.of(0, -1, 0)],
    ['pagedWrite', 2, Int32Array.of(0, 4, 0)],
    ['rotary', 2, Int32Array.of(0, -4, 0)],
  ] as const)('%s refuses an index out of range', (name, index, value) => {
    expectRefused(call(name), call(name).args.with(index, value), ['ERR_BIO_INDEX'])
  })

  test.each([
    ['pagedAttention', { sequences: Int32Array.of(0, 2, 0) }, 'ERR_BIO_INDEX'],
    ['pagedAttention', { positions: Int32Array.of(0, 4, 0) }, 'ERR_BIO_INDEX'],
    ['pagedAttention', { blockTables: Int32Array.of(3, 4, 1, 2) }, 'ERR_BIO_INDEX'],
    ['pagedAttention', { scale: NaN }, 'ERR_BIO_VALUE'],
    ['groupedMatmul', { offsets: Int32Array.of(0, 2, 1) }, 'ERR_BIO_INDEX'],
    ['groupedMatmul', { layout: 'kk' }, 'ERR_BIO_VALUE'],
    ['swigluExperts', { offsets: Int32Array.of(0, 2, 1) }, 'ERR_BIO_INDEX'],
    ['swigluExperts', { hidden: 0 }, 'ERR_BIO_SHAPE'],
    ['swigluExpertsBackward', { dim: 1.5 }, 'ERR_BIO_SHAPE'],
    ['groupedMatmulPacked', { offsets: Int32Array.of(1, 2, 3) }, 'ERR_BIO_INDEX'],
    ['groupedMatmulPacked', { index: Int32Array.of(0, 4, 0) }, 'ERR_BIO_INDEX'],
    ['sparseMatmul', { m: 2 }, 'ERR_BIO_SHAPE'],
    ['matmul', { m: -3 }, 'ERR_BIO_SHAPE'],
    ['matmul', { m: 2.5 }, 'ERR_BIO_SHAPE'],
    ['attention', { kvHeads: 3 }, 'ERR_BIO_VALUE'],
    ['rmsNorm', { epsilon: 0 }, 'ERR_BIO_VALUE'],
    ['layerNorm', { epsilon: NaN }, 'ERR_BIO_VALUE'],
    ['adamW', { beta1: 1 }, 'ERR_BIO_VALUE'],
    ['adamW', { learningRate: NaN }, 'ERR_BIO_VALUE'],
    ['adamW', { step: 0 }, 'ERR_BIO_SHAPE'],
    ['adamWByProduct', { beta2: 1 }, 'ERR_BIO_VALUE'],
    ['adamWByProduct', { rows: 2 }, 'ERR_BIO_SHAPE'],
    ['sgd', { momentum: -1 }, 'ERR_BIO_VALUE'],
    ['sgdByProduct', { weightDecay: Infinity }, 'ERR_BIO_VALUE'],
    ['sgdByProduct', { k: 1.5 }, 'ERR_BIO_SHAPE'],
    ['quantizeInt4', { groupSize: 5 }, 'ERR_BIO_VALUE'],
  ] as const)('%s refuses %o', (name, change, code) => {
    const { args } = call(name)
    expectRefused(call(name), args.with(args.length - 1, { ...(args.at(-1) as object), ...change }), [code])
  })

  test('a disposed matrix, and one of another backend, are refused', () => {
    const packed = kernels.pack(new Float32Array(32), { dtype: 'int8', rows: 1, columns: 32 })
    packed.dispose()
    packed.dispose()
    const out = new Float32Array(1)
    expect(() => kernels.matmulPacked(out, new Float32Array(32), packed, { m: 1 })).toThrow(
      expect.objectContaining({ code: 'ERR_BIO_DISPOSED' }) as Error,
    )
  })

  test.each([
    [{ rows: 0 }, 'ERR_BIO_SHAPE'],
    [{ columns: 7 }, 'ERR_BIO_SHAPE'],
    [{ batch: 0 }, 'ERR_BIO_SHAPE'],
    [{ format: '2x1' }, 'ERR_BIO_VALUE'],
  ] as const)('packSparse refuses %o', (change, code) => {
    const options = { rows: 4, columns: 8, ...change } as Parameters<Kernels['packSparse']>[1]
    expect(() => kernels.packSparse(new Float32Array(32), options)).toThrow(
      expect.objectContaining({ code }) as Error,
    )
  })

  test('a disposed sparse matrix, and one of another backend, are refused', () => {
    const sparse = kernels.packSparse(new Float32Array(32).fill(1), { rows: 1, columns: 32, format: 'csr' })
    const multiply = (matrix: SparseMatrix): void =>
      kernels.sparseMatmul(new Float32Array(1), new Float32Array(32), matrix, { m: 1 })
    expect(() => multiply({ ...sparse })).toThrow(expect.objectContaining({ code: 'ERR_BIO_VALUE' }) as Error)
    sparse.dispose()
    sparse.dispose()
    expect(() => multiply(sparse)).toThrow(expect.objectContaining({ code: 'ERR_BIO_DISPOSED' }) as Error)
  })
})

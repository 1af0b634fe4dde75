import { isBioError } from '@bio/errors'
import { describe, expect, test } from 'vitest'
import {
  Dropout,
  Embedding,
  GroupedLinear,
  LayerNorm,
  Linear,
  mapModules,
  Module,
  noGrad,
  ones,
  randn,
  Rng,
  RMSNorm,
  Sequential,
  tensor,
  zeros,
  type Tensor,
} from '../index.js'

class Model extends Module {
  readonly embedding: Embedding
  readonly layers: Linear[][]
  readonly norm = new LayerNorm(3)
  readonly tied: Tensor
  readonly config = { hidden: 3 }
  cache: Tensor | undefined

  constructor(seed: number) {
    super()
    const rng = new Rng(seed)
    this.embedding = new Embedding(5, 3, { rng })
    this.layers = [[new Linear(3, 3, { rng })], [new Linear(3, 3, { rng, bias: false })]]
    this.tied = this.embedding.weight
  }

  forward(ids: Tensor): Tensor {
    const x = this.layers.flat().reduce((h, layer) => layer.forward(h), this.embedding.forward(ids))
    this.cache = this.norm.forward(x)
    return this.cache
  }
}

const code = (fn: () => unknown): unknown => {
  try {
    return fn()
  } catch (error) {
    return isBioError(error) ? error.code : error
  }
}
const ids = tensor([0, 4], { dtype: 'i32' })

describe('a module', () => {
  test('finds its tensors and modules by field, arrays included, each once', () => {
    const model = new Model(1)
    model.forward(ids) // an intermediate result in a field is no state
    const names = [
      'norm.weight',
      'norm.bias',
      'embedding.weight',
      'layers.0.0.weight',
      'layers.0.0.bias',
      'layers.1.0.weight',
    ]
    expect(
      model
        .namedParameters()
        .map(([name]) => name)
        .toSorted(),
    ).toEqual([...names.slice(0, 2), 'tied', ...names.slice(3)].toSorted())
    expect(model.parameters()).toHaveLength(6)
    expect(Object.keys(model.stateDict()).toSorted()).toEqual([...names, 'tied'].toSorted())
    expect(model.namedModules().map(([name]) => name)).toEqual([
      '',
      'embedding',
      'layers.0.0',
      'layers.1.0',
      'norm',
    ])
  })

  test('walks modules that know each other', () => {
    class Child extends Module {
      parent: Module | undefined
    }
    class Parent extends Module {
      readonly child = new Child()
    }
    const parent = new Parent()
    parent.child.parent = parent
    expect(parent.namedModules().map(([name]) => name)).toEqual(['', 'child'])
  })

  test('goes in and out of training as a whole', () => {
    const model = new Sequential(new Sequential(new Dropout(0.5, { rng: new Rng(1) })))
    const x = ones([100])
    expect(model.eval().forward(x).toArray()).toEqual(x.toArray())
    expect(model.train().forward(x).toArray()).toContain(0)
  })

  test('frozen tensors are state but no parameters', () => {
    const layer = new Linear(2, 2, { rng: new Rng(0) })
    layer.weight.requiresGrad = false
    expect(layer.namedParameters().map(([name]) => name)).toEqual(['bias'])
    expect(Object.keys(layer.stateDict())).toContain('weight')
  })

  test('loads what another saved, bf16 too, into its own memory', () => {
    const [from, to] = [new Model(1), new Model(2)]
    const weight = to.layers[0]![0]!.weight
    const state = from.stateDict()
    to.loadStateDict({ ...state, 'norm.bias': state['norm.bias']!.to('bf16') })
    expect(to.layers[0]![0]!.weight).toBe(weight)
    expect(to.forward(ids).toArray()).toEqual(from.forward(ids).toArray())
  })

  test('loads nothing at all if one entry is wrong', () => {
    const model = new Linear(2, 2, { rng: new Rng(0) })
    const before = model.weight.toArray()
    const { weight, bias } = { weight: zeros([2, 2]), bias: zeros([2]) }
    for (const state of [
      { weight },
      { weight, bias, more: bias },
      { weight, bias: zeros([3]) },
      { weight, bias: zeros([1, 2]) },
      {},
    ]) {
      expect(code(() => model.loadStateDict(state as never))).toBe('ERR_BIO_STATE')
    }
    expect(code(() => model.loadStateDict({ weight, bias: zeros([3]) }, { strict: false }))).toBe(
      'ERR_BIO_STATE',
    )
    expect(model.weight.toArray()).toEqual(before)
    model.loadStateDict({ weight, more: bias }, { strict: false })
    expect(model.weight.toArray()).toEqual([
      [0, 0],
      [0, 0],
    ])
  })

  test('zeroGrad forgets all gradients', () => {
    const model = new Model(1)
    model.forward(ids).sum().backward()
    model.zeroGrad()
    expect(model.parameters().map(({ grad }) => grad)).toEqual(Array.from({ length: 6 }))
  })
})

describe('mapModules', () => {
  test('copies the structure, shares the tensors and replaces by path, once per module', () => {
    const model = new Model(3)
    const paths: string[] = []
    const copy = mapModules(model, (path, module) => {
      paths.push(path)
      return path === 'layers.1.0'
        ? new Linear(3, 3, { rng: new Rng(9), bias: false })
        : module === model.norm
          ? new RMSNorm(3)
          : undefined
    })
    expect(paths.toSorted()).toEqual(['', 'embedding', 'layers.0.0', 'layers.1.0', 'norm'])
    expect(copy).toBeInstanceOf(Model)
    expect([copy === model, copy.layers === model.layers, copy.norm === model.norm]).toEqual([
      false,
      false,
      false,
    ])
    expect(copy.layers[0]![0]!.weight).toBe(model.layers[0]![0]!.weight)
    expect(model.norm).toBeInstanceOf(LayerNorm)
    expect(copy.norm).toBeInstanceOf(RMSNorm)
    copy.eval()
    expect(model.training).toBe(true)
    expect(noGrad(() => copy.forward(ids)).shape).toEqual([2, 3])
  })

  test('the model itself may be replaced, and a module used twice stays one', () => {
    const shared = new Linear(2, 2, { rng: new Rng(0) })
    const copy = mapModules(new Sequential(shared, shared), () => undefined)
    expect(copy.layers[0]).toBe(copy.layers[1])
    expect(mapModules(shared as Module, () => new RMSNorm(2))).toBeInstanceOf(RMSNorm)
  })
})

test('weights start even in ±1/√in, as PyTorch has it', () => {
  const rng = new Rng(4)
  for (const weight of [new Linear(16, 500, { rng }).weight, new GroupedLinear(2, 16, 250, { rng }).weight]) {
    const values = weight.data as Float32Array
    expect(Math.max(...values)).toBeLessThan(0.25)
    expect(Math.min(...values)).toBeGreaterThan(-0.25)
    const variance = values.reduce((sum, value) => sum + value * value, 0) / values.length
    expect(Math.abs(variance / (0.25 ** 2 / 3) - 1)).toBeLessThan(0.05)
  }
})

test('layers of no width are refused', () => {
  const rng = new Rng(0)
  for (const make of [
    () => new Linear(0, 2, { rng }),
    () => new Linear(2, 1.5, { rng }),
    () => new GroupedLinear(0, 2, 2, { rng }),
  ]) {
    expect(code(make)).toBe('ERR_BIO_SHAPE')
  }
})

test('a grouped layer is one linear layer per expert', () => {
  const rng = new Rng(6)
  const layer = new GroupedLinear(2, 3, 4, { rng })
  const x = randn([5, 3], { rng })
  const y = layer.forward(x, Int32Array.of(0, 2, 5))
  const second = x.narrow(0, 2, 3).matmul(layer.weight.narrow(0, 1, 1).reshape([4, 3]), { transposeB: true })
  expect(y.narrow(0, 2, 3).toArray()).toEqual(second.toArray())
})

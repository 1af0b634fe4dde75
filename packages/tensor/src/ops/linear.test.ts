import { getKernels } from '@bio/kernels'
import { expect, test } from 'vitest'
import { noGrad, linear, randn, Rng } from '../index.js'

const [rows, n, k] = [50, 90, 130]

test('a layer between two relus has the bits of products that leave nothing out', () => {
  const rng = new Rng(3)
  const hidden = randn([rows, k], { rng, requiresGrad: true })
  const weight = randn([n, k], { rng, requiresGrad: true })
  const bias = randn([n], { rng })
  const expected = noGrad(() => linear(hidden.relu(), weight, bias))
  const y = linear(hidden.relu(), weight, bias)
  expect(y.data).toEqual(expected.data)

  const [dense, kernels] = [noGrad(() => hidden.relu().data as Float32Array), getKernels()]
  const dy = (y.data as Float32Array).map((value) => (value > 0 ? 1 : 0)) // of the sum of the next relu
  expect(dy.filter((value) => value === 0).length).toBeGreaterThan(dy.length / 4)
  y.relu().sum().backward()
  const dWeight = new Float32Array(n * k)
  kernels.matmul(dWeight, dy, dense, { m: n, n: k, k: rows, transposeA: true })
  expect(weight.grad!.data).toEqual(dWeight)
  const dx = new Float32Array(rows * k)
  kernels.matmul(dx, dy, weight.data as Float32Array, { m: rows, n: k, k: n })
  expect(hidden.grad!.data).toEqual(dx.map((value, i) => value * (dense[i]! > 0 ? 1 : 0)))
})

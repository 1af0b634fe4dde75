import { expect, test } from 'vitest'
import type { NvmlDevice } from './nvml-like.js'
import { visibleDevices } from './visible-devices.js'

const all: readonly NvmlDevice[] = [
  { index: 0, name: 'A', uuid: 'GPU-aa11' },
  { index: 1, name: 'A', uuid: 'GPU-aa22' },
  { index: 2, name: 'A', uuid: 'GPU-bb33', mig: true, migUuids: ['MIG-x', 'MIG-y'] },
]

test.each<[string, string | undefined, number[], RegExp?]>([
  ['unset: all', undefined, [0, 1, 2]],
  ['one number', '1', [1]],
  ['numbers in any order, with spaces', ' 2, 0', [0, 2]],
  ['a whole UUID', 'GPU-bb33', [2]],
  ['the beginning of one UUID', 'GPU-aa1,GPU-b', [0, 2]],
  ['the beginning of two UUIDs names none', 'GPU-aa', [], /CUDA_VISIBLE_DEVICES=GPU-aa leaves no GPU/],
  ['empty: none', '', [], /leaves no GPU/],
  ['-1: none', '-1', [], /leaves no GPU/],
  ['words: none', 'NoDevFiles', [], /leaves no GPU/],
  ['what follows a number that names nothing is hidden', '0,7,1', [0]],
  ['what follows an empty entry is hidden', '0,,1', [0]],
  ['the same GPU twice hides all', '0,1,0', [], /names 0 twice/],
  ['an instance', 'MIG-y', [2], /MIG-y is a part of gpu-2, of which only the whole is counted/],
  ['two instances of a GPU', 'MIG-x,MIG-y', [2], /MIG-x/],
  ['an instance in the older form', 'MIG-GPU-bb33/1/0', [2], /part of gpu-2/],
  ['an instance of no GPU', 'MIG-z', [], /leaves no GPU/],
])('%s', (_, wish, indices, reason) => {
  const { devices, reasons } = visibleDevices(all, { CUDA_VISIBLE_DEVICES: wish })
  expect(devices.map(({ index }) => index)).toEqual(indices)
  if (reason === undefined) expect(reasons).toEqual([])
  else expect(reasons.join()).toMatch(reason)
})

test('numbers of GPUs that differ may mean others to CUDA, unless it is told to number them by bus', () => {
  const mixed = [all[0]!, { index: 1, name: 'B' }]
  expect(visibleDevices(mixed, { CUDA_VISIBLE_DEVICES: '0' }).reasons.join()).toMatch(/CUDA_DEVICE_ORDER/)
  const environment = { CUDA_VISIBLE_DEVICES: '0', CUDA_DEVICE_ORDER: 'PCI_BUS_ID' }
  expect(visibleDevices(mixed, environment).reasons).toEqual([])
  expect(visibleDevices(mixed, { CUDA_VISIBLE_DEVICES: 'GPU-aa11' }).reasons).toEqual([])
})

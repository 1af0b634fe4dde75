import { EnergyMeter, raplSource, type PowercapFiles } from '@bio/energy'
import { expect, test } from 'vitest'
import type { MachineFigures } from '../tour/report.js'
import { machineLines } from './machine-lines.js'

const machine: Omit<MachineFigures, 'energySources'> = {
  cpu: 'a CPU',
  cores: 2,
  memoryBytes: 2 ** 30,
  node: '20.0.0',
  kernels: 'typescript',
  isa: 'none',
  threads: 1,
  readBytesPerSecond: 1e9,
  peakPerSecond: { f32: 1e9, bf16: 0, int8: 0 },
}

/** A powercap tree whose counter only root may read, as Linux leaves it. */
const closed: PowercapFiles = {
  list: () => ['intel-rapl:0'],
  read(path) {
    if (path.endsWith('name')) return 'package-0\n'
    if (path.endsWith('energy_uj')) throw Object.assign(new Error(`EACCES: ${path}`), { code: 'EACCES' })
    return '262143328850\n'
  },
}

test('a counter that only root may read comes with the group and the udev rule that open it, line by line', async () => {
  await using meter = await EnergyMeter.open({ sources: [raplSource({ files: closed })] })
  const lines = machineLines({ ...machine, energySources: meter.sources() }).flatMap((line) =>
    line.split('\n'),
  )
  expect(lines).toContainEqual(expect.stringMatching(/energy +rapl \(cpu\): not here: .*EACCES/))
  expect(lines).toContainEqual(expect.stringMatching(/→ As root: groupadd -f rapl; usermod -aG rapl/))
  expect(lines).toContainEqual(
    expect.stringMatching(/^ {16}SUBSYSTEM=="powercap", KERNEL=="intel-rapl\*:\*", RUN\+="/),
  )
  expect(lines.at(-1)).toContain('unknown: no source can be used')
})

const source = (component: string, method: string, used = true): MachineFigures['energySources'][number] => ({
  name: component,
  component,
  method,
  usable: true,
  used,
  reasons: [],
})

test.each<[MachineFigures['energySources'], string]>([
  [[source('cpu', 'measured'), source('gpu', 'measured')], 'measured (cpu and gpu)'],
  [[source('cpu', 'estimated')], 'estimated, within a band'],
  [
    [source('cpu', 'estimated'), source('gpu', 'measured')],
    'estimated, within a band: the cpu is, though the gpu is measured',
  ],
  [[source('cpu', 'measured'), source('cpu', 'estimated', false)], 'measured (cpu)'],
])('the last line says what every joule will be', (energySources, words) => {
  expect(machineLines({ ...machine, energySources }).at(-1)).toBe(`  joules      ${words}`)
})

import { isBioError } from '@bio/errors'
import { expect, test } from 'vitest'
import { openNvml, type Nvml } from './open-nvml.js'

let nvml: Nvml | undefined
try {
  nvml = openNvml()
} catch (error) {
  if (!isBioError(error, 'ERR_BIO_NATIVE')) throw error
  console.log(`skipped: ${error.message}`)
}

test.skipIf(nvml === undefined)('the GPU library answers, or says why it cannot: never a crash', () => {
  try {
    for (const { index, name } of nvml!.devices()) {
      expect(index).toBeGreaterThanOrEqual(0)
      expect(name).not.toBe('')
    }
  } catch (error) {
    expect((error as Error).message).toMatch(/^NVML: /)
  }
  expect(() => nvml!.totalEnergyMillijoules(10_000)).toThrow(/^NVML: /)
})

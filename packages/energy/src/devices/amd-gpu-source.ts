import { invalid } from '../check.js'
import { PowerAccount } from '../counter/power-account.js'
import { errorCode, systemFiles, type PowercapFiles } from '../powercap/powercap-files.js'
import { monotonicSeconds, type Clock, type EnergySource, type SourceOpening } from '../source.js'
import { openAmdSmi } from './amd-smi.js'
import { DeviceAccount } from './device-account.js'
import { listChips, powerChannel, powerFile, type HwmonChip } from './hwmon.js'

export interface AmdGpuOptions {
  /** The hwmon folder; `/sys/class/hwmon` by default. */
  readonly root?: string
  /** AMD's tool and arguments before its own; `['amd-smi']` by default. Asked where the kernel shows no power. */
  readonly command?: readonly string[]
  readonly files?: PowercapFiles
  readonly now?: Clock
}

const sampleSeconds = 0.05
const greatestWatts = 2500

/**
 * AMD's GPUs: the power that `amdgpu` shows, integrated between bounds; where it shows none, the energy counters that `amd-smi` prints.
 *
 * Graphics within a processor are left out, for the package that RAPL counts holds them. The second die of a board of two shows 0 W while
 * the first shows both: the sum is right, and a board of 0 W alone is refused.
 *
 * @throws `ERR_BIO_VALUE` for an empty root or command.
 */
export function amdGpuSource(options: AmdGpuOptions = {}): EnergySource {
  const {
    root = '/sys/class/hwmon',
    command = ['amd-smi'],
    files = systemFiles,
    now = monotonicSeconds,
  } = options
  if (root === '') throw invalid('amdGpuSource', 'root to name a folder', root)
  if (!Array.isArray(command) || command.length === 0) throw invalid('amdGpuSource', 'a command', command)
  return {
    name: 'amd-gpu',
    component: 'amd-gpu',
    method: 'measured',
    open: () => open({ root, command, files, now }),
  }
}

async function open({ root, command, files, now }: Required<AmdGpuOptions>): Promise<SourceOpening> {
  let chips: HwmonChip[]
  try {
    chips = listChips(files, root).filter(({ driver }) => driver === 'amdgpu')
  } catch (error) {
    return { usable: false, present: false, reasons: [`${root} cannot be listed (${errorCode(error)})`] }
  }
  if (chips.length === 0) return { usable: false, present: false, reasons: [`${root} has no chip of amdgpu`] }
  const reasons: string[] = []
  const accounts: PowerAccount[] = []
  chips.forEach((chip, index) => {
    const domain = `amd-gpu-${index}`
    // amdgpu shows the voltage of a northbridge (in1) of what lies within a processor, and of nothing else
    if (chip.names.includes('in1_input')) {
      reasons.push(`${domain} lies within a processor, whose package counts it`)
      return
    }
    if (powerFile(chip, 1) === undefined) {
      reasons.push(`${domain} is left out: amdgpu shows no power of it`)
      return
    }
    const account = powerChannel(chip, 1, { source: 'amd-gpu', domain, maxWatts: greatestWatts }, now)
    try {
      const watts = account.device.read!()
      if (watts === 0) reasons.push(`${domain} shows 0 W: the second die of a board, whose first shows both`)
      accounts.push(account)
    } catch (error) {
      reasons.push(`${domain} is left out: ${errorCode(error)}`)
    }
  })
  const shows = accounts.some(({ device }) => device.read!() > 0)
  if (accounts.length > 0 && shows) {
    return { usable: true, reasons, account: new DeviceAccount(accounts, { reasons, sampleSeconds }) }
  }
  const discrete = chips.some(({ names }) => !names.includes('in1_input'))
  if (!discrete) return { usable: false, present: false, reasons }
  return openAmdSmi({ command, reasons, now })
}

import { describeError, invalid } from '../check.js'
import { errorCode, systemFiles, type PowercapFiles } from '../powercap/powercap-files.js'
import {
  monotonicSeconds,
  type Clock,
  type EnergyAccount,
  type EnergySource,
  type SourceOpening,
} from '../source.js'
import { DeviceAccount } from './device-account.js'
import { energyChannel, listChips, powerChannel, powerFile, readLabel, type HwmonChip } from './hwmon.js'

export interface HwmonOptions {
  /** The processor, Intel's discrete GPUs, or the whole computer by its power supply's meter. */
  readonly component: 'cpu' | 'intel-gpu' | 'node'
  /** The hwmon folder; `/sys/class/hwmon` by default. */
  readonly root?: string
  readonly files?: PowercapFiles
  readonly now?: Clock
}

/** Which drivers show the power or energy of what; others (fans, disks, memory modules) show none that adds up. */
const drivers: Record<HwmonOptions['component'], readonly string[]> = {
  // amd_energy has a counter per core and per socket; only sockets are whole
  cpu: ['amd_energy', 'fam15h_power', 'zenpower', 'power_meter of a Grace socket'],
  'intel-gpu': ['i915', 'xe'],
  node: ['power_meter'],
}

/** NVIDIA Grace shows each socket as an ACPI meter of its own, named so; what else it shows lies within. */
function belongs(chip: HwmonChip, component: HwmonOptions['component']): boolean {
  if (chip.driver !== 'power_meter') return drivers[component].includes(chip.driver)
  const name = readLabel(chip, 'power1_oem_info') ?? ''
  return (
    component === (/^(Grace|CPU|SysIO|Module) Power/.test(name) ? 'cpu' : 'node') &&
    !/^(CPU|SysIO|Module)/.test(name)
  )
}

/** Above what a part draws, in watts: what is beyond, as the sentinel of 4294967295000 µW, is no power. */
const greatestWatts: Record<HwmonOptions['component'], number> = {
  cpu: 1000,
  'intel-gpu': 1500,
  node: 10_000,
}

const sampleSeconds = 0.05

/**
 * Energy counters (`energy1_input`) and power sensors of Linux hwmon; power is integrated between bounds (`integratePower`).
 *
 * `cpu` serves where RAPL does not: sockets of amd_energy, fam15h_power, zenpower. `node` is the meter of the power supply (ACPI), which holds
 * every other component too: use it as the only source. Its boundary is `node`.
 *
 * @throws `ERR_BIO_VALUE` for an unknown component or an empty root.
 */
export function hwmonSource(options: HwmonOptions): EnergySource {
  const { component, root = '/sys/class/hwmon', files = systemFiles, now = monotonicSeconds } = options
  if (!Object.hasOwn(drivers, component)) {
    throw invalid('hwmonSource', `component ${Object.keys(drivers).join(', ')}`, component)
  }
  if (root === '') throw invalid('hwmonSource', 'root to name a folder', root)
  const counted = component !== 'node'
  return {
    name: 'hwmon',
    component,
    method: counted ? 'measured' : 'derived',
    open: () => open(component, root, files, now),
  }
}

function open(
  component: HwmonOptions['component'],
  root: string,
  files: PowercapFiles,
  now: Clock,
): SourceOpening {
  let chips: HwmonChip[]
  try {
    chips = listChips(files, root).filter((chip) => belongs(chip, component))
  } catch (error) {
    return { usable: false, present: false, reasons: [`${root} cannot be listed (${errorCode(error)})`] }
  }
  if (chips.length === 0) {
    const reason = `${root} has no chip of ${drivers[component].join(', ')}`
    return { usable: false, present: false, reasons: [reason] }
  }
  if (component === 'node' && chips.length > 1) {
    return {
      usable: false,
      present: true,
      reasons: ['there are several power meters, and one may hold another'],
    }
  }
  const reasons: string[] = []
  const accounts = chips.flatMap((chip, index) => {
    try {
      return channels(chip, component, `${component}-${index}`, now)
    } catch (error) {
      reasons.push(`${chip.driver} is left out: ${describeError(error)}`)
      return []
    }
  })
  if (accounts.length === 0) {
    const cure = reasons.some((reason) => /EACCES|EPERM/.test(reason))
      ? { cure: hwmonPermissionCure(chips) }
      : {}
    const why = reasons.length > 0 ? reasons : [`${chips[0]!.driver} shows neither power nor energy`]
    return { usable: false, present: true, reasons: why, ...cure }
  }
  return { usable: true, reasons, account: new DeviceAccount(accounts, { reasons, sampleSeconds }) }
}

/** The channels that add up to the chip; throws when one cannot be read, for a part would pass for the whole. */
function channels(
  chip: HwmonChip,
  component: HwmonOptions['component'],
  domain: string,
  now: Clock,
): EnergyAccount[] {
  const fields = {
    source: 'hwmon',
    maxWatts: greatestWatts[component],
    ...(component === 'node' ? { boundary: 'node' as const } : {}),
  }
  const numbers = (kind: string): number[] =>
    chip.names.flatMap((name) => new RegExp(`^${kind}(\\d+)_input$`).exec(name)?.[1] ?? []).map(Number)
  const energies = numbers('energy').filter((number) => {
    const label = readLabel(chip, `energy${number}_label`)
    // i915 and xe: the card, else the package, which lies within it
    return chip.driver === 'amd_energy' ? label?.startsWith('Esocket') === true : number === 1
  })
  const powers = [1, 2].filter((number) => powerFile(chip, number) !== undefined)
  const accounts =
    energies.length > 0
      ? energies.map((number) =>
          energyChannel(
            chip,
            `energy${number}_input`,
            { ...fields, domain: `${domain}-energy-${number}` },
            now,
          ),
        )
      : powers.map((number) =>
          powerChannel(chip, number, { ...fields, domain: `${domain}-power-${number}` }, now),
        )
  for (const account of accounts) readOnce(account)
  return accounts
}

function readOnce(account: ReturnType<typeof energyChannel> | ReturnType<typeof powerChannel>): void {
  const device = 'counter' in account ? account.counter : account.device
  device.read!()
}

function hwmonPermissionCure(chips: readonly HwmonChip[]): string {
  const names = [...new Set(chips.map(({ driver }) => driver))]
  return [
    'As root: groupadd -f energy; usermod -aG energy USER; write to /etc/udev/rules.d/70-hwmon-energy.rules the lines',
    ...names.map(
      (name) =>
        `SUBSYSTEM=="hwmon", ATTR{name}=="${name}", RUN+="/bin/sh -c 'chgrp energy /sys%p/*_input && chmod 440 /sys%p/*_input'"`,
    ),
    'then: udevadm control --reload; udevadm trigger --subsystem-match=hwmon --action=add; log in again.',
  ].join('\n')
}

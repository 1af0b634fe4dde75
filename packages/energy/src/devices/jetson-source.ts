import { describeError, invalid } from '../check.js'
import { PowerAccount } from '../counter/power-account.js'
import { errorCode, readCount, systemFiles, type PowercapFiles } from '../powercap/powercap-files.js'
import { monotonicSeconds, type Clock, type EnergySource, type SourceOpening } from '../source.js'
import { DeviceAccount } from './device-account.js'
import { listChips, readLabel, readOptional, type HwmonChip } from './hwmon.js'

export interface JetsonOptions {
  /** The hwmon folder; `/sys/class/hwmon` by default. */
  readonly root?: string
  /** The folder of the older driver; `/sys/bus/i2c/drivers/ina3221x` by default. */
  readonly oldRoot?: string
  readonly files?: PowercapFiles
  readonly now?: Clock
}

const sampleSeconds = 0.05
/** No module of the family draws more on one rail. */
const maxWatts = 150
/** Input rails hold all others. */
const inputRail = /^(VDD_IN|POM_5V_IN)$/

/** One rail: a name, and how to read its watts. */
interface Rail {
  readonly name: string
  readonly read: () => number
  /** Seconds in which the chip looks at all rails once. */
  readonly refreshSeconds: number | undefined
}

/**
 * NVIDIA Jetson by its INA3221 chips: the module's input rail, or where there is none the sum of its rails. CPU, GPU and memory are all in it,
 * so it stands for the CPU, and nothing else counts there.
 *
 * The chip looks at voltage and current of its three rails in turn, a sixth of the time at the current of each: the bounds hold the rest.
 *
 * @throws `ERR_BIO_VALUE` for an empty root.
 */
export function jetsonSource(options: JetsonOptions = {}): EnergySource {
  const { root = '/sys/class/hwmon', oldRoot = '/sys/bus/i2c/drivers/ina3221x' } = options
  const { files = systemFiles, now = monotonicSeconds } = options
  if (root === '' || oldRoot === '') throw invalid('jetsonSource', 'root to name a folder', '')
  return {
    name: 'jetson',
    component: 'cpu',
    method: 'derived',
    open(): SourceOpening {
      const reasons: string[] = []
      const all = [...hwmonRails(files, root, reasons), ...oldRails(files, oldRoot)]
      if (all.length === 0) {
        const none = `neither ${root} nor ${oldRoot} has an INA3221`
        return { usable: false, present: reasons.length > 0, reasons: [...reasons, none] }
      }
      const input = all.filter(({ name }) => inputRail.test(name))
      const rails = input.length > 0 ? input : all
      try {
        for (const { read } of rails) read()
      } catch (error) {
        return { usable: false, present: true, reasons: [...reasons, describeError(error)] }
      }
      const accounts = rails.map((rail) => railAccount(rail, now))
      return { usable: true, reasons, account: new DeviceAccount(accounts, { reasons, sampleSeconds }) }
    },
  }
}

function railAccount({ name, read, refreshSeconds = 0.1 }: Rail, now: Clock): PowerAccount {
  return new PowerAccount(
    {
      source: 'jetson',
      domain: name.toLowerCase(),
      boundary: inputRail.test(name) ? 'node' : 'device',
      read,
      maxWatts,
      refreshSeconds,
      averagingSeconds: refreshSeconds / 6,
      unitWatts: 0.05, // 8 mV steps of the bus and 40 µV of the shunt
      assumptions: [],
    },
    now,
  )
}

/** `in1_label` names the rail, `in1_input` is in mV and `curr1_input` in mA. */
function hwmonRails(files: PowercapFiles, root: string, reasons: string[]): Rail[] {
  let chips: HwmonChip[]
  try {
    chips = listChips(files, root).filter(({ driver }) => driver === 'ina3221')
  } catch {
    return []
  }
  return chips.flatMap((chip) =>
    [1, 2, 3].flatMap((channel) => {
      const name = readLabel(chip, `in${channel}_label`)
      const { path } = chip
      if (name === undefined || name === '' || name === 'NC') return []
      if (!chip.names.includes(`curr${channel}_input`)) {
        reasons.push(`${name} is left out: its chip shows no current of it`)
        return []
      }
      const read = (): number =>
        (readCount(files, `${path}/in${channel}_input`) * readCount(files, `${path}/curr${channel}_input`)) /
        1e6
      return [{ name, read, refreshSeconds: readOptional(chip, 'update_interval', 1000) }]
    }),
  )
}

/** Before JetPack 5: `rail_name_0` and `in_power0_input` in mW, under `1-0040/iio:device0`. */
function oldRails(files: PowercapFiles, root: string): Rail[] {
  const list = (folder: string): string[] => {
    try {
      return files.list(folder)
    } catch (error) {
      if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ENOTDIR') return []
      throw error
    }
  }
  return list(root)
    .filter((address) => /^\d+-[\da-f]{4}$/.test(address))
    .flatMap((address) =>
      list(`${root}/${address}`)
        .filter((device) => /^iio:device\d+$/.test(device))
        .map((device) => `${root}/${address}/${device}`),
    )
    .flatMap((path) => {
      const names = list(path)
      return [0, 1, 2].flatMap((channel) => {
        if (!names.includes(`rail_name_${channel}`) || !names.includes(`in_power${channel}_input`)) return []
        const read = (): number => readCount(files, `${path}/in_power${channel}_input`) / 1000
        return [{ name: files.read(`${path}/rail_name_${channel}`).trim(), read, refreshSeconds: undefined }]
      })
    })
}

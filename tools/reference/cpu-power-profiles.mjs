/**
 * Writes packages/energy/src/estimate/__fixtures__/cpu-power-profiles.json from CodeCarbon's load profiles (MIT, mlco2/codecarbon at
 * b05965e, codecarbon/data/hardware/cpu_load_profiling): RAPL package power at steps of CPU load, four machines.
 * `rapl_power` lags by one row there, so watts are `rapl_energy` [kWh] over `duration` [s].
 *
 *   node tools/reference/cpu-power-profiles.mjs CODECARBON_CHECKOUT
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Folder → logical CPUs. `E5-1240` repeats `E3-1240` and is left out. */
const machines = { AMD_EPYC_8024P_8C: 16, AMD_Threadripper: 32, 'E3-1240': 8, 'E5-2620': 24 }
const home = join(process.argv[2] ?? '.', 'codecarbon/data/hardware/cpu_load_profiling')

const points = Object.entries(machines).flatMap(([machine, cpus]) =>
  readdirSync(join(home, machine))
    .toSorted()
    .flatMap((file) =>
      readFileSync(join(home, machine, file), 'utf8')
        .trim()
        .split('\n')
        .slice(1),
    )
    .map((line) => line.split(',').slice(-13))
    .filter((cells) => cells.length === 13)
    .map((cells) => {
      const [load, energy, duration] = [cells[2], cells[6], cells[12]].map(Number)
      return { machine, cpus, load: load / 100, watts: Number(((energy * 3.6e6) / duration).toFixed(2)) }
    }),
)
writeFileSync(
  new URL('../../packages/energy/src/estimate/__fixtures__/cpu-power-profiles.json', import.meta.url),
  `${JSON.stringify({ source: 'mlco2/codecarbon b05965e, data/hardware/cpu_load_profiling, MIT', points })}\n`,
)

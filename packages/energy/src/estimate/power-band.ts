/** Watts of one logical CPU, idle and fully busy: the least, the most likely and the most that processors draw. */
export interface PowerBand {
  readonly idle: Range
  readonly busy: Range
}

interface Range {
  readonly low: number
  readonly likely: number
  readonly high: number
}

/**
 * Where the processor cannot be asked, its power lies in a wide band: 15 W is a busy logical CPU of a desktop without hyper-threads,
 * 1 W one of a 128-core server or an Arm core; idle, 0.15 W of a laptop to 3 W of a small share of a large server. `likely` is
 * about the geometric mean.
 *
 * Of 86 points measured by RAPL at steps of load on four x86 machines (8 to 32 logical CPUs; CodeCarbon's public profiles), all lie in
 * the band, and `likely` is off by 31 % on average. Outside: overclocked parts, dual-core desktops, phones; and no curve would be much
 * better without asking the machine (TDP-based models are off by 39 to 69 % on the same points).
 */
export const powerBand: PowerBand = {
  idle: { low: 0.15, likely: 0.7, high: 3 },
  busy: { low: 1, likely: 4, high: 15 },
}

/** The band of a share of a machine whose idle power others may have caused: none of it for sure, at most all of it. */
export const sharedPowerBand: PowerBand = {
  idle: { low: 0, likely: 0, high: powerBand.idle.high },
  busy: powerBand.busy,
}

/**
 * Joules of CPUs that were on for `cpuSeconds` in sum, and busy for some of them: E = idle·(cpuSeconds − busy) + busy·busySeconds.
 * `busySeconds` is itself an interval, because CPU clocks tick coarsely.
 */
export function estimateJoules(cpuSeconds: number, busySeconds: Range, band: PowerBand): Range {
  const at = (side: keyof Range): number => {
    const busy = Math.max(0, busySeconds[side])
    return band.idle[side] * Math.max(0, cpuSeconds - busy) + band.busy[side] * busy
  }
  return { low: at('low'), likely: at('likely'), high: at('high') }
}

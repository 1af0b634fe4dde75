/** Watts of one logical CPU at a load of 0 to 1: the least, the most likely and the most. */
export interface PowerCurve {
  /** Convex, so that a load that varies within the window uses no less than its mean. */
  readonly low: (load: number) => number
  readonly likely: (load: number) => number
  /** Concave, so that a load that varies uses no more than its mean. */
  readonly high: (load: number) => number
}

interface Range {
  readonly low: number
  readonly likely: number
  readonly high: number
}

/** Watts of one logical CPU, idle and fully busy. */
interface PowerBand {
  readonly idle: Range
  readonly busy: Range
}

/**
 * Where the processor cannot be asked: P(u) = idle + (busy − idle)·u, times or divided by a factor.
 *
 * Fitted to RAPL at 86 steps of load on four x86 machines of 8 to 32 logical CPUs (CodeCarbon's public profiles): `likely` by least squares of
 * the logarithm, every machine with the same weight; the factor is the half-width of Student's 95 % interval for one machine more,
 * exp(t·s·√(1 + 1/n)), with s the error on a machine that the fit had not seen. So fitted to any three of the machines it holds
 * every point of the fourth, whose points `likely` misses by 36 % on average (models from the rated power: 39 to 69 %). Outside it: phones, and
 * desktops overclocked.
 */
export const powerBand: PowerBand = {
  idle: { low: 0.26, likely: 1, high: 3.9 },
  busy: { low: 1.4, likely: 5.4, high: 21 },
}

export const generalCurve: PowerCurve = {
  low: (load) => between(powerBand, 'low', load),
  likely: (load) => between(powerBand, 'likely', load),
  high: (load) => between(powerBand, 'high', load),
}

function between({ idle, busy }: PowerBand, side: keyof Range, load: number): number {
  return idle[side] + (busy[side] - idle[side]) * load
}

/** The power of this machine's processors, all of them, in watts. */
export interface PowerCalibration {
  /** With nothing to do. */
  readonly idleWatts: number
  /** With every CPU busy. */
  readonly busyWatts: number
}

/**
 * A machine known at both ends: P(u) = idle + (busy − idle)·u is likely, and in between no less than idle + (busy − idle)·u³ (speed and voltage
 * that fall together), no more than full power from a tenth of the load on (turbo of the busy CPUs). The ends themselves are known to 10 %, and some
 * CPUs in turbo may exceed all of them by a fifth. These round figures were chosen with the 86 points in view, all of which lie within: other
 * machines may find them too narrow.
 */
export function calibratedCurve({ idleWatts, busyWatts }: PowerCalibration, cpus: number): PowerCurve {
  const [idle, span] = [idleWatts / cpus, (busyWatts - idleWatts) / cpus]
  const most = (idle + span) * (1 + turbo)
  return {
    low: (load) => (idle + span * load ** 3) * (1 - tolerance),
    likely: (load) => idle + span * load,
    high: (load) => {
      const least = idle * (1 + tolerance)
      return least + Math.max(0, most - least) * Math.min(1, load / knee)
    },
  }
}

const tolerance = 0.1
const turbo = 0.2
const knee = 0.1

/** The part of a machine's curve that is a process's own: idle power, which others may have caused, only in the upper bound. */
export function sharedCurve({ low, likely, high }: PowerCurve): PowerCurve {
  return { low: (load) => low(load) - low(0), likely: (load) => likely(load) - likely(0), high }
}

/** What CPUs did: all times in CPU seconds, summed over them. */
export interface CpuWork {
  /** That they were there for. */
  readonly available: number
  /** Of these, those in which the host may have run others instead. */
  readonly stolen: number
  /** Busy; itself an interval, because CPU clocks tick coarsely. */
  readonly busy: Range
}

/**
 * E = available·P(busy / available): joules of CPUs by a curve. Stolen time is nobody's here but in the upper bound, and no more can be busy than
 * is there.
 */
export function estimateJoules({ available, stolen, busy }: CpuWork, curve: PowerCurve): Range {
  const ours = Math.max(0, available - stolen)
  const at = (side: keyof Range, time: number): number =>
    time > 0 ? time * curve[side](Math.min(1, Math.max(0, busy[side]) / time)) : 0
  return { low: at('low', ours), likely: at('likely', ours), high: at('high', available) }
}

import { readFileSync } from 'node:fs'

/** The power of a machine's processors at a load, as RAPL saw it. */
export interface ProfilePoint {
  readonly machine: string
  readonly cpus: number
  readonly load: number
  readonly watts: number
}

export const points: readonly ProfilePoint[] = (
  JSON.parse(readFileSync(new URL('cpu-power-profiles.json', import.meta.url), 'utf8')) as { points: ProfilePoint[] }
).points

export const machines: readonly string[] = [...new Set(points.map(({ machine }) => machine))]

export const pointsOf = (...names: readonly string[]): ProfilePoint[] =>
  points.filter(({ machine }) => names.includes(machine))

/** Watts of one logical CPU. */
export interface FittedBand {
  readonly idle: number
  readonly busy: number
  /** The band is times or divided by this. */
  readonly factor: number
}

/** Student's t for 95 % between both sides, by degrees of freedom. */
const student: Readonly<Record<number, number>> = { 2: 4.303, 3: 3.182 }

/** The method that `powerBand` is published by, applied to these machines. */
export function fitBand(names: readonly string[]): FittedBand {
  const unseen = names.flatMap((name) => logErrors(pointsOf(name), fitLine(names.filter((other) => other !== name))))
  const error = Math.sqrt(mean(unseen.map((each) => each ** 2)))
  const factor = Math.exp(student[names.length - 1]! * error * Math.sqrt(1 + 1 / names.length))
  return { ...fitLine(names), factor }
}

interface Line {
  readonly idle: number
  readonly busy: number
}

export function logErrors(of: readonly ProfilePoint[], { idle, busy }: Line): number[] {
  return of.map(({ cpus, load, watts }) => Math.log(watts / cpus / (idle + (busy - idle) * load)))
}

/** Least squares of the logarithm over a grid that narrows, machines weighing the same. */
function fitLine(names: readonly string[]): Line {
  const loss = (line: Line): number =>
    names.reduce((sum, name) => sum + mean(logErrors(pointsOf(name), line).map((each) => each ** 2)), 0)
  let best: Line = { idle: 1, busy: 5 }
  for (let step = 2; step > 1.0005; step = Math.sqrt(step)) {
    for (let moved = true; moved; ) {
      const around = [1 / step, 1, step].flatMap((idle) =>
        [1 / step, 1, step].map((busy) => ({ idle: best.idle * idle, busy: best.busy * busy })),
      )
      const next = around.reduce((least, line) => (loss(line) < loss(least) ? line : least), best)
      moved = next !== best
      best = next
    }
  }
  return best
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

import { BioError } from '@bio/errors'

/** Learning rate by step, counted from 1. */
export type Schedule = (step: number) => number

interface ScheduleOptions {
  /** The highest rate. */
  readonly lr: number
  /** Steps of linear growth before it. */
  readonly warmup: number
  /** Steps in all; afterwards the rate stays at `min`. */
  readonly total: number
  /** The rate at the end. Default 0. */
  readonly min?: number
}

/** Grows over `warmup` steps, then falls along half a cosine to `min` at `total`. Loshchilov and Hutter 2017. Errors: ERR_BIO_VALUE. */
export function cosineSchedule(options: ScheduleOptions): Schedule {
  return decay(options, (progress) => (1 + Math.cos(Math.PI * progress)) / 2)
}

/** Grows over `warmup` steps, then falls in a line to `min` at `total`. Errors: ERR_BIO_VALUE. */
export function linearSchedule(options: ScheduleOptions): Schedule {
  return decay(options, (progress) => 1 - progress)
}

/** Grows over `warmup` steps (default 0), then stays. Errors: ERR_BIO_VALUE. */
export function constantSchedule({ lr, warmup = 0 }: { lr: number; warmup?: number }): Schedule {
  return decay({ lr, warmup, total: Infinity }, () => 1)
}

function decay(
  { lr, warmup, total, min = 0 }: ScheduleOptions,
  remaining: (progress: number) => number,
): Schedule {
  if (!(min >= 0 && lr >= min && Number.isFinite(lr) && warmup >= 0 && total >= warmup)) {
    throw new BioError('ERR_BIO_VALUE', {
      operation: 'schedule',
      expected: '0 ≤ min ≤ lr and 0 ≤ warmup ≤ total',
      received: `lr ${lr}, min ${min}, warmup ${warmup}, total ${total}`,
    })
  }
  return (step) => {
    if (warmup > 0 && step <= warmup) return (lr * step) / warmup
    const progress = total === Infinity ? 0 : Math.min(1, (step - warmup) / (total - warmup))
    return min + (lr - min) * remaining(progress)
  }
}

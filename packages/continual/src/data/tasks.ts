import { BioError } from '@bio/errors'
import { dataset, type Dataset } from './dataset.js'

/** Something to learn, and what shows whether it was. */
export interface Task {
  readonly name: string
  readonly train: Dataset
  readonly test: Dataset
}

/**
 * Cuts a classification problem into `count` tasks of consecutive classes: digits 0–1, 2–3, … Labels stay as they are, so one head grows
 * (class-incremental). Throws ERR_BIO_VALUE where the classes don't divide evenly.
 */
export function splitTasks(problem: Omit<Task, 'name'>, count: number): Task[] {
  const classes = Math.max(...problem.train.y) + 1
  if (!(Number.isInteger(count) && count > 0 && classes % count === 0 && problem.train.yShape.length === 0)) {
    throw new BioError('ERR_BIO_VALUE', {
      operation: 'splitTasks',
      expected: `a count that divides ${classes} classes, one label per item`,
      received: String(count),
    })
  }
  const each = classes / count
  return Array.from({ length: count }, (_, task) => {
    const [low, high] = [task * each, (task + 1) * each - 1]
    const part = (all: Dataset): Dataset => withLabels(all, low, high)
    return {
      name: each === 1 ? `${low}` : `${low}–${high}`,
      train: part(problem.train),
      test: part(problem.test),
    }
  })
}

function withLabels({ x, y, xShape }: Dataset, low: number, high: number): Dataset {
  const width = xShape.reduce((all, size) => all * size, 1)
  const items = Array.from(y.keys()).filter((item) => y[item]! >= low && y[item]! <= high)
  const xs =
    x instanceof Float32Array ? new Float32Array(items.length * width) : new Int32Array(items.length * width)
  items.forEach((item, row) => xs.set(x.subarray(item * width, (item + 1) * width), row * width))
  return dataset({ x: xs, y: Int32Array.from(items, (item) => y[item]!), xShape })
}

import { Rng } from '@bio/tensor'
import { dataset, type Dataset } from '../data/dataset.js'

/** Classes as noisy points around random centres: easy to learn, easy to forget. */
export function clusters({
  classes,
  dim,
  items,
  seed,
}: {
  classes: number
  dim: number
  items: number
  seed: number
}): { train: Dataset; test: Dataset } {
  const rng = new Rng(seed)
  const centres = Array.from({ length: classes }, () =>
    Float32Array.from({ length: dim }, () => 2 * rng.next() - 1),
  )
  const draw = (count: number): Dataset => {
    const y = Int32Array.from({ length: count }, (_, item) => item % classes)
    const x = new Float32Array(count * dim)
    for (let i = 0; i < x.length; i++)
      x[i] = centres[y[Math.floor(i / dim)]!]![i % dim]! + 0.3 * (rng.next() - 0.5)
    return dataset({ x, y, xShape: [dim] })
  }
  return { train: draw(items), test: draw(items) }
}

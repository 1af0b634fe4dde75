import { BioError } from '@bio/errors'

/** What a meter says: its own record, kept whole. */
export interface EnergyReading {
  readonly joules: number | null
}

/** What learning all tasks cost. */
export interface TotalCost {
  readonly seconds: number
  /** Items that went through the model in training, replayed ones included. */
  readonly samples: number
  readonly steps: number
  /** null where nothing measured it. */
  readonly joules: number | null
}

/** What learning one task cost. */
export interface LearningCost<Energy extends EnergyReading = EnergyReading> extends TotalCost {
  /** The meter's reading, with whatever it knows beside the joules; null without a meter. */
  readonly energy: Energy | null
}

/** Σ loss on all tasks' test items, in nats where the loss is a cross-entropy. */
export interface HeldOutNats {
  readonly before: number
  readonly after: number
}

/**
 * How well each task is known after each: scores R[i][j] on task j after learning i tasks; row 0 is before the first. Higher is better.
 *
 * With T tasks: average accuracy = mean_j R[T][j]; backward transfer = mean_{j<T} (R[T][j] − R[j][j]); forgetting = mean_{j<T}
 * (max_{j≤i≤T} R[i][j] − R[T][j]); forward transfer = mean_{j>1} (R[j−1][j] − R[0][j]). Lopez-Paz and Ranzato 2017; Chaudhry et al. 2018.
 */
export class LearningResult<Energy extends EnergyReading = EnergyReading> {
  readonly names: readonly string[]
  readonly accuracy: readonly (readonly number[])[]
  readonly costs: readonly LearningCost<Energy>[]
  /**
   * Before the first task and after the last, so what was forgotten is in it: (before − after) / ln 2 bits were learnt. Null without a meter.
   * `learningCost` of `@bio/energy` makes joules per bit of it.
   */
  readonly nats: HeldOutNats | null

  constructor(options: {
    names: readonly string[]
    accuracy: readonly (readonly number[])[]
    costs: readonly LearningCost<Energy>[]
    nats?: HeldOutNats | null
  }) {
    const { names, accuracy, costs, nats = null } = options
    if (accuracy.length !== names.length + 1 || accuracy.some((row) => row.length !== names.length)) {
      throw new BioError('ERR_BIO_SHAPE', {
        operation: 'LearningResult',
        expected: `${names.length + 1} rows of ${names.length} scores`,
        received: accuracy.map((row) => row.length).join(', '),
      })
    }
    this.names = names
    this.accuracy = accuracy
    this.costs = costs
    this.nats = nats
  }

  get averageAccuracy(): number {
    return mean(this.accuracy.at(-1)!)
  }

  /** Negative where later tasks cost earlier ones. */
  get backwardTransfer(): number {
    return mean(this.#earlier().map((task) => this.accuracy.at(-1)![task]! - this.accuracy[task + 1]![task]!))
  }

  get forgetting(): number {
    return mean(
      this.#earlier().map((task) => {
        const scores = this.accuracy.slice(task + 1).map((row) => row[task]!)
        return Math.max(...scores) - scores.at(-1)!
      }),
    )
  }

  get forwardTransfer(): number {
    return mean(
      this.names
        .slice(1)
        .map((_, index) => this.accuracy[index + 1]![index + 1]! - this.accuracy[0]![index + 1]!),
    )
  }

  /** All tasks together; joules are null if any task's are. */
  get learningCost(): TotalCost {
    return this.costs.reduce<TotalCost>(
      (all, cost) => ({
        seconds: all.seconds + cost.seconds,
        samples: all.samples + cost.samples,
        steps: all.steps + cost.steps,
        joules: all.joules === null || cost.joules === null ? null : all.joules + cost.joules,
      }),
      { seconds: 0, samples: 0, steps: 0, joules: 0 },
    )
  }

  /** The matrix as a table, scores with three decimals. */
  toString(): string {
    const width = Math.max(8, ...this.names.map((name) => name.length + 2))
    const row = (label: string, cells: readonly string[]): string =>
      label.padEnd(Math.max('untrained'.length, width)) + cells.map((cell) => cell.padStart(width)).join('')
    const rows = this.accuracy.map((scores, index) =>
      row(
        index === 0 ? 'untrained' : `+ ${this.names[index - 1]}`,
        scores.map((score) => score.toFixed(3)),
      ),
    )
    return [row('', this.names), ...rows].join('\n')
  }

  /** Tasks that others came after. */
  #earlier(): number[] {
    return [...this.names.keys()].slice(0, -1)
  }
}

/** 0 for nothing: one task has no other to transfer to. */
function mean(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length
}

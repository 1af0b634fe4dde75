export { dataset, type Batch, type Dataset } from './data/dataset.js'
export { splitTasks, type Task } from './data/tasks.js'
export { fisherDiagonal, type Diagonal, type FisherKind, type FisherOptions } from './fisher/diagonal.js'
export { Learner, type LearnerOptions, type LearnProgress, type Meter, type RunOptions } from './learner.js'
export {
  LearningResult,
  type EnergyReading,
  type HeldOutNats,
  type LearningCost,
  type TotalCost,
} from './result.js'
export { ewc, type EwcOptions } from './strategies/ewc.js'
export { replay } from './strategies/replay.js'
export { Reservoir } from './strategies/reservoir.js'
export type { Strategy, StrategyContext } from './strategies/strategy.js'

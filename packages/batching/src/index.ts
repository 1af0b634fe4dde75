export { Batcher } from './batcher/batcher.js'
export type { BatcherOptions, BatchingOptions, RunOptions } from './batcher/batcher-options.js'
export type { BatcherStats } from './batcher/batcher-stats.js'
export type { QuarantineOptions } from './batcher/quarantine.js'
export { refuseNaN } from './batcher/refuse-nan.js'
export type { SubmitOptions } from './batcher/ticket.js'
export type { DrainOptions } from './drain.js'
export {
  calibrate,
  type CalibrateOptions,
  type Calibration,
  type CalibrationBatch,
} from './early-exit/calibrate.js'
export type { ChosenThreshold } from './early-exit/choose-threshold.js'
export { EarlyExit, type EarlyExitOptions, type EarlyExitResult } from './early-exit/early-exit.js'
export { exitLoss, type ExitLossOptions, type Summable } from './early-exit/exit-loss.js'
export {
  entropy,
  margin,
  maximumProbability,
  patience,
  type ExitAnswer,
  type ExitPolicy,
} from './early-exit/exit-policy.js'
export type { StagedModel } from './early-exit/staged-model.js'
export { QueueFullError } from './queue-full-error.js'
export type { RunFunction } from './runner/function-runner.js'
export type { BatchOutputs, RunContext } from './runner/runner.js'
export type { WorkerRun, WorkerRunContext, WorkersOptions } from './runner/worker-runner.js'
export type { CachedSequence, SequenceCache, StepEngine, StepItem } from './step-scheduler/contract.js'
export type {
  Generation,
  GenerationRequest,
  GenerationResult,
  SampleRequest,
} from './step-scheduler/generation.js'
export type { SchedulerStats } from './step-scheduler/scheduler-stats.js'
export { StepScheduler, type StepSchedulerOptions } from './step-scheduler/step-scheduler.js'

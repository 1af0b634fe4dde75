export {
  RequestEnergy,
  type RequestEnergyOptions,
  type RequestEnergyTotals,
} from './attribution/request-energy.js'
export type { StepCost } from './attribution/step-shares.js'
export {
  carbonFootprint,
  type CarbonFootprint,
  type CarbonFootprintOptions,
  type Footprint,
} from './carbon/carbon-footprint.js'
export type { CarbonIntensity } from './carbon/carbon-intensity.js'
export { gridIntensity } from './carbon/grid-intensity.js'
export { annualCost } from './cost/annual-cost.js'
export { breakEven, type BreakEven, type BreakEvenOptions, type Days } from './cost/break-even.js'
export type { HardwareCost } from './cost/hardware-cost.js'
export type { Range } from './cost/range.js'
export { costPerMillionRequests, type RequestCost, type RequestCostOptions } from './cost/request-cost.js'
export {
  sensitivity,
  type Sensitivity,
  type SensitivityOptions,
  type SensitivityRow,
} from './cost/sensitivity.js'
export { costPerMillionTokens, type TokenCostOptions } from './cost/token-cost.js'
export type { UnitCost, UnitCostOptions } from './cost/unit-cost.js'
export { amdGpuSource, type AmdGpuOptions } from './devices/amd-gpu-source.js'
export { appleSource, type AppleOptions } from './devices/apple-source.js'
export { batterySource, type BatteryOptions } from './devices/battery-source.js'
export { hwmonSource, type HwmonOptions } from './devices/hwmon-source.js'
export { jetsonSource, type JetsonOptions } from './devices/jetson-source.js'
export { boampsReport, type BoampsOptions } from './documents/boamps.js'
export { cycloneDxDocument } from './documents/cyclonedx.js'
export type { JsonObject } from './documents/figures.js'
export { huggingFaceCard } from './documents/hugging-face.js'
export {
  modelDocumentationForm,
  type FormItem,
  type ModelDocumentationForm,
} from './documents/model-documentation-form.js'
export {
  createRunRecord,
  formatRunRecord,
  parseRunRecord,
  type RunFields,
  type RunPhase,
  type RunRecord,
  type Stage,
} from './documents/run-record.js'
export {
  softwareCarbonIntensity,
  type SoftwareCarbonIntensity,
  type SoftwareCarbonIntensityOptions,
} from './documents/software-carbon-intensity.js'
export { spdxDocument, type SpdxOptions } from './documents/spdx.js'
export { attributeReading, startCpuShare, type CpuShare, type CpuShareOptions } from './estimate/cpu-share.js'
export { cpuEstimateSource, type CpuEstimateOptions } from './estimate/estimate-source.js'
export type { PowerCalibration } from './estimate/power-curve.js'
export type { EnergyExport } from './exports/countable.js'
export { readingsToCsv, type LabelledReading } from './exports/csv.js'
export { openTelemetryEnergy, type OpenTelemetryMeter } from './exports/open-telemetry.js'
export { prometheusEnergy, type PrometheusClient } from './exports/prometheus.js'
export {
  ActionInformation,
  type Action,
  type ActionBits,
  type ActionReport,
  type ActionReportOptions,
  type ActionStream,
} from './information/action-information.js'
export { entropyBits, surprisalBits } from './information/entropy.js'
export {
  learningCost,
  type BitCost,
  type LearningCostOptions,
  type LearningProtocol,
} from './information/learning-cost.js'
export { defaultSources } from './meter/default-sources.js'
export type { BudgetOptions, EnergyBudget } from './meter/energy-budget.js'
export { EnergyMeter, type EnergyMeterOptions } from './meter/energy-meter.js'
export type { EnergyWindow } from './meter/energy-window.js'
export type { Measurement, MeasureOptions } from './meter/measure-calls.js'
export type { StepCounts, StepEnergy, StepLog } from './meter/step-log.js'
export type { NvmlDevice, NvmlLike } from './nvml/nvml-like.js'
export { nvmlSource, type NvmlOptions } from './nvml/nvml-source.js'
export type { PowercapFiles } from './powercap/powercap-files.js'
export { raplSource, type RaplOptions } from './powercap/rapl-source.js'
export {
  calibrateEnergyModel,
  type CalibrateEnergyModelOptions,
  type Microbenchmark,
} from './prediction/calibrate-energy-model.js'
export { EnergyModel, type EnergySample, type PlannedWork, type Work } from './prediction/energy-model.js'
export {
  addReadings,
  joinReadings,
  scaleReading,
  shareReading,
  subtractReadings,
} from './reading/arithmetic.js'
export { formatReading } from './reading/format-reading.js'
export {
  calibrateIdle,
  subtractIdle,
  type CalibrateIdleOptions,
  type IdleBaseline,
  type IdleMeter,
} from './reading/idle-baseline.js'
export {
  createReading,
  unavailableReading,
  type AboveIdle,
  type Boundary,
  type KnownReading,
  type Method,
  type Reading,
  type ReadingFields,
  type UnknownReading,
} from './reading/reading.js'
export type { CounterFeed, CounterRow } from './sampler/counter-feed.js'
export { energyReport, type EnergyReportOptions } from './report/energy-report.js'
export type { Clock, EnergyAccount, EnergySource, EnergySpan, SourceOpening, SourceStatus } from './source.js'
export { fromKilowattHours, fromMegawattHours, toKilowattHours, toMegawattHours } from './units.js'

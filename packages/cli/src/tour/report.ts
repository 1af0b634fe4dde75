import type { Reading } from '@bio/energy'
import type { TourSize } from './settings.js'
import type { CostReport } from './cost.js'

/** Tokens per second and times to the first token of one way to serve. */
export interface ServeFigures {
  readonly tokensPerSecond: number
  readonly ttftMsP50: number
  readonly ttftMsP95: number
}

/** Bits per byte around learning a second text: on the first one before and after, and on the new one after. */
export interface ForgettingFigures {
  readonly oldBefore: number
  readonly oldAfter: number
  readonly new: number
}

export interface MachineFigures {
  readonly cpu: string
  readonly cores: number
  readonly memoryBytes: number
  readonly node: string
  readonly kernels: string
  readonly isa: string
  readonly threads: number
  readonly readBytesPerSecond: number
  /** Multiply-adds count two; 0 where the machine lacks the instruction. */
  readonly peakPerSecond: { readonly f32: number; readonly bf16: number; readonly int8: number }
  readonly energySources: readonly {
    readonly name: string
    readonly component: string
    readonly method: string
    readonly usable: boolean
    readonly used: boolean
    readonly reasons: readonly string[]
    /** What would open it. */
    readonly cure?: string
  }[]
}

export interface TrainFigures {
  readonly text: string
  readonly parameters: number
  readonly steps: number
  readonly seconds: number
  readonly bitsPerByteStart: number
  readonly bitsPerByteEnd: number
  readonly unigramBitsPerByte: number
  readonly tokensPerSecond: number
  /** Largest over the layers, of the load of the last tenth of the steps. */
  readonly maxViolation: number
  readonly deadExperts: number
  readonly energy: Reading
  /** For the plots: one entry per recorded step. */
  readonly curve: {
    readonly step: readonly number[]
    readonly bitsPerByte: readonly number[]
    readonly joules: readonly (number | null)[]
    readonly low: readonly (number | null)[]
    readonly high: readonly (number | null)[]
  }
  /** Share of tokens that each expert took, per layer, of the last tenth of the steps. */
  readonly expertLoad: readonly (readonly number[])[]
}

export interface ServeReport {
  readonly clients: number
  readonly baseline: ServeFigures
  readonly batched: ServeFigures
  readonly optimized: ServeFigures
  readonly promptTokens: number
  readonly uniquePromptTokens: number
  /** Computed by prefill in the optimized run; the batched run's is beside it. */
  readonly prefilledTokens: number
  readonly prefilledTokensBatched: number
  readonly blockTokens: number
  /** True when batched f32 gave every client exactly the tokens of one request at a time. */
  readonly identicalTokens: boolean
  readonly weightBytes: { readonly baseline: number; readonly optimized: number }
  /** For the plot: each client's time to the first token, sorted. */
  readonly ttftMs: {
    readonly baseline: readonly number[]
    readonly batched: readonly number[]
    readonly optimized: readonly number[]
  }
}

export interface EnergyFigures {
  readonly method: string
  readonly source: string
  readonly joulesPerToken: number | null
  readonly low: number | null
  readonly high: number | null
  readonly reasons: readonly string[]
}

/** What `out/tour.json` holds. Speeds are of this machine in this run; `settings` says with what. */
export interface TourReport {
  readonly settings: {
    readonly size: TourSize
    readonly seconds: number
    readonly model: Readonly<Record<string, number>>
    readonly texts: readonly string[]
  }
  readonly machine: MachineFigures
  readonly train: TrainFigures
  readonly continual: Readonly<Record<'naive' | 'ewc' | 'replay', ForgettingFigures>>
  readonly quantize: readonly {
    readonly weights: string
    readonly bytes: number
    readonly bitsPerByte: number
    readonly tokensPerSecond: number
  }[]
  readonly serve: ServeReport
  readonly energy: { readonly baseline: EnergyFigures } & EnergyFigures
  readonly cost: CostReport
}

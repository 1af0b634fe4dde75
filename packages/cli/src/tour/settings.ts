import { decoderConfig, type DecoderConfig } from '@bio/models'

/** How big and how long everything in the tour is: sizes chosen so that 2 cores need under 4 minutes, or under one. */
export interface TourSettings {
  readonly size: TourSize
  readonly seed: number
  readonly model: DecoderConfig
  readonly train: {
    readonly steps: number
    readonly batch: number
    readonly length: number
    readonly learningRate: number
    readonly balance: number
  }
  readonly continual: {
    readonly steps: number
    readonly learningRate: number
    readonly lambda: number
    readonly fisherSamples: number
    readonly capacity: number
    readonly replayBatch: number
  }
  /** Bytes of held-out text that every bits-per-byte figure is taken on. */
  readonly testBytes: number
  readonly serve: {
    readonly clients: number
    readonly systemPromptBytes: number
    readonly questionBytes: number
    readonly maxTokens: number
  }
}

/** `small` is what the TypeScript kernels do in a few minutes. */
export type TourSize = 'full' | 'quick' | 'small'

export function tourSettings(size: TourSize, { seed = 0 }: { seed?: number } = {}): TourSettings {
  const shared = { vocabSize: 257, heads: 4, kvHeads: 2, experts: 8, topK: 2, maxPositions: 4096 }
  switch (size) {
    case 'full':
      return {
        size,
        seed,
        model: decoderConfig({ ...shared, dim: 160, layers: 3, hidden: 192 }),
        train: { steps: 400, batch: 16, length: 160, learningRate: 2e-3, balance: 0.02 },
        continual: {
          steps: 100,
          learningRate: 1e-3,
          lambda: 1e8,
          fisherSamples: 64,
          capacity: 1000,
          replayBatch: 16,
        },
        testBytes: 65_536,
        serve: { clients: 16, systemPromptBytes: 2560, questionBytes: 64, maxTokens: 64 },
      }
    case 'quick':
      return {
        size,
        seed,
        model: decoderConfig({ ...shared, dim: 128, layers: 2, hidden: 128 }),
        train: { steps: 300, batch: 16, length: 128, learningRate: 3e-3, balance: 0.02 },
        continual: {
          steps: 60,
          learningRate: 1e-3,
          lambda: 1e8,
          fisherSamples: 32,
          capacity: 400,
          replayBatch: 16,
        },
        testBytes: 32_768,
        serve: { clients: 16, systemPromptBytes: 2048, questionBytes: 64, maxTokens: 32 },
      }
    case 'small':
      return {
        size,
        seed,
        model: decoderConfig({ ...shared, dim: 64, layers: 2, hidden: 64 }),
        train: { steps: 250, batch: 8, length: 96, learningRate: 4e-3, balance: 0.02 },
        continual: {
          steps: 40,
          learningRate: 1e-3,
          lambda: 1e8,
          fisherSamples: 16,
          capacity: 200,
          replayBatch: 8,
        },
        testBytes: 8192,
        serve: { clients: 16, systemPromptBytes: 512, questionBytes: 32, maxTokens: 16 },
      }
  }
}

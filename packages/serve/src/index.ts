export { Engine } from './engine/engine.js'
export type { Generation } from './engine/generation.js'
export type {
  EngineOptions,
  EngineStats,
  GenerationRequest,
  GenerationResult,
  ModelInfo,
} from './engine/messages.js'
export { createApp, type AppOptions } from './http/app.js'
export { serve, type Server, type ServeOptions } from './serve.js'

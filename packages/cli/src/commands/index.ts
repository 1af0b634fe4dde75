import type { Command } from './command.js'
import { doctor } from './doctor.js'
import { energy } from './energy.js'
import { runModel } from './run.js'
import { serveModel } from './serve.js'
import { tourCommand } from './tour.js'

/** Every verb, in the order that a newcomer needs them. */
export const commands: Readonly<Record<string, Command>> = {
  tour: tourCommand,
  run: runModel,
  serve: serveModel,
  energy,
  doctor,
}

import type { Method, Reading } from './reading/reading.js'

/**
 * Something that can say how much energy a component used. The meter asks the sources in order and keeps, for each component, the first
 * usable one; so two sources of the same component never count it twice. Write one for a sensor of your own.
 */
export interface EnergySource {
  readonly name: string
  /** What it covers: `cpu`, `gpu`, or a name of your own. */
  readonly component: string
  /** The best that its readings can be. */
  readonly method: Method
  /** Looks whether it works here. Must not throw and must return within milliseconds: it reads files or opens a library, no more. */
  open(): SourceOpening | Promise<SourceOpening>
}

/** What opening a source found. */
export type SourceOpening =
  | { readonly usable: true; readonly account: EnergyAccount; readonly reasons: readonly string[] }
  | {
      readonly usable: false
      readonly reasons: readonly string[]
      /** What a person could do to make it usable: a rule, a group, a package. */
      readonly cure?: string
      /** True: the hardware is there and uses energy that nobody counts, and readings say so. False: it is surely not there, and they need not. */
      readonly present?: boolean
    }

/** Running totals of one component. */
export interface EnergyAccount {
  /** Takes in what happened since the last sample, so that no counter wraps unseen. Must not throw. */
  sample(): void
  /** Starts a span; any number may be open, nested or overlapping. A span holds nothing that needs closing. */
  startSpan(): EnergySpan
  /** Ends what runs in the background, with the meter. Spans can still be read. Must not throw. */
  close?(): void
}

export interface EnergySpan {
  /** The energy from the start of the span to now. Must not throw: what goes wrong is an unavailable reading. */
  read(): Reading
}

/** What a source is and why it is used or not, as `meter.sources()` lists it. */
export interface SourceStatus {
  readonly name: string
  readonly component: string
  readonly method: Method
  /** It works here. */
  readonly usable: boolean
  /** The meter's readings come from it. */
  readonly used: boolean
  readonly reasons: readonly string[]
  readonly cure?: string
}

/** Seconds of a monotonic clock. */
export type Clock = () => number

/** The process's monotonic clock. */
export const monotonicSeconds: Clock = () => performance.now() / 1000

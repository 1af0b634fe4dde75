/** An error as data: no class survives the way between threads, so name, message and fields travel instead. */
export interface PlainError {
  readonly name: string
  readonly message: string
  readonly stack?: string
  /** Its own enumerable properties that can be cloned, `code` among them. */
  readonly fields: Readonly<Record<string, unknown>>
  /** True for a `BioError`. */
  readonly bio: boolean
  readonly cause?: Thrown
}

/** What was thrown: an error, or any other value. */
export type Thrown = { readonly error: PlainError } | { readonly value: unknown }

export type ToWorker =
  | { readonly type: 'load'; readonly module: string; readonly data: unknown }
  | { readonly type: 'run'; readonly id: number; readonly inputs: readonly unknown[] }
  | { readonly type: 'abort'; readonly id: number }

export type FromWorker =
  | { readonly type: 'ready' }
  | { readonly type: 'failed'; readonly thrown: Thrown }
  | {
      readonly type: 'done'
      readonly id: number
      /** Whatever `run` returned; where it holds errors, they are in `errors`, by index. */
      readonly outputs: unknown
      readonly errors: readonly (readonly [index: number, thrown: Thrown])[]
    }
  | { readonly type: 'threw'; readonly id: number; readonly thrown: Thrown }

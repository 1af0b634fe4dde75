import type { Thrown } from './messages.js'

export function ownCopy<T>(value: T): T
export function toPost<T>(values: readonly T[]): { readonly values: T[]; readonly transfer: ArrayBuffer[] }
export function refusal(value: unknown, clone: (value: unknown) => unknown): unknown
export function toThrown(thrown: unknown, clone: (value: unknown) => unknown): Thrown
export function isError(value: unknown): value is Error

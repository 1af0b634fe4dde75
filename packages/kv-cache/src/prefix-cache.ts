import { BioError } from '@bio/errors'
import { checkInt32, checkInteger, checkScope, disposedError } from './checks.js'
import { Lease, type Entry } from './lease.js'
import { RadixTree } from './radix-tree.js'

export interface PrefixCacheOptions<V> {
  /** The budget for values and keys together. */
  readonly bytes: number
  /** Bytes of a value, asked when it is set; its key adds 4 per token. */
  readonly sizeOf: (value: V) => number
  /** Called once for each value that the cache gives up, when nobody leases it any more. */
  readonly release?: (value: V) => void
}

export interface PrefixCacheStats {
  readonly entries: number
  /** Bytes of all entries, and of values given up but still leased. */
  readonly bytes: number
  readonly leasedBytes: number
  /** Tokens of all matches that were covered by a value, and that were not. */
  readonly hitTokens: number
  readonly missTokens: number
  /** Entries given up to make room. */
  readonly evictions: number
}

/**
 * Any value that stands for the state after some tokens (a runtime's key-value tensors, a recurrent state, a session file), found by the longest
 * prefix of a new token sequence, in a budget of bytes. Least recently used values go first; a leased value never goes.
 *
 * Every method but `dispose` throws ERR_BIO_DISPOSED after `dispose`.
 *
 * @example
 * ```ts
 * import { PrefixCache } from '@bio/kv-cache'
 *
 * using cache = new PrefixCache({ bytes: 2 ** 20, sizeOf: (state: Float32Array) => state.byteLength })
 * cache.set(Int32Array.of(1, 2, 3), new Float32Array(100))
 * const prompt = Int32Array.of(1, 2, 3, 4, 5)
 * using hit = cache.match(prompt.subarray(0, -1)) // the last token is left to compute
 * console.log(hit?.length, hit?.value.length) // => 3 100
 * ```
 */
export class PrefixCache<V> implements Disposable {
  readonly #options: PrefixCacheOptions<V>
  readonly #scopes = new Map<string, RadixTree<Entry<V>>>()
  /** Entries without a lease, least recently used first. */
  readonly #idle = new Set<Entry<V>>()
  #entries = 0
  #bytes = 0
  #leasedBytes = 0
  #hitTokens = 0
  #missTokens = 0
  #evictions = 0
  #disposed = false

  /** @throws ERR_BIO_VALUE unless `bytes` is a whole number of at least 1. */
  constructor(options: PrefixCacheOptions<V>) {
    checkInteger('PrefixCache', 'bytes', options.bytes, 1)
    this.#options = options
  }

  /**
   * Keeps `value` for exactly these tokens, in place of an older value of theirs, evicting others where the budget asks for it.
   * False means that it doesn't fit beside the leased values: then nothing changed and the value stays the caller's.
   * Setting the value that is there already only marks it as used.
   * @throws ERR_BIO_DTYPE, ERR_BIO_SHAPE (no tokens), ERR_BIO_VALUE (scope, or `sizeOf` returned no whole number); then nothing changed.
   */
  set(tokens: Int32Array, value: V, options: { readonly scope?: string } = {}): boolean {
    const scope = this.#check('PrefixCache.set', tokens, options)
    if (tokens.length === 0)
      throw new BioError('ERR_BIO_SHAPE', {
        operation: 'PrefixCache.set',
        expected: 'at least one token',
        received: 'none',
      })
    const size = this.#options.sizeOf(value)
    checkInteger('PrefixCache.set', 'sizeOf(value)', size, 0)
    const old = this.#scopes.get(scope)?.get(tokens)
    if (old !== undefined && old.value === value) {
      if (this.#idle.delete(old)) this.#idle.add(old)
      return true
    }
    const bytes = size + tokens.byteLength
    if (this.#leasedBytes + bytes > this.#options.bytes) return false
    const givenUp = old === undefined ? [] : this.#detach(old)
    for (const entry of this.#idle) {
      if (this.#bytes + bytes <= this.#options.bytes) break
      givenUp.push(...this.#detach(entry))
      this.#evictions += 1
    }
    this.#attach({ scope, tokens: tokens.slice(), value, bytes, leases: 0, attached: true })
    this.#release(givenUp)
    return true
  }

  /**
   * A lease of the value whose key is the longest prefix of `tokens` (or all of them), in the same scope. The value stays as it is
   * until the lease is closed. To leave the last token to the model, match `tokens.subarray(0, -1)`.
   * @throws ERR_BIO_DTYPE, ERR_BIO_VALUE (scope).
   */
  match(tokens: Int32Array, options: { readonly scope?: string } = {}): Lease<V> | undefined {
    const scope = this.#check('PrefixCache.match', tokens, options)
    const entry = this.#scopes.get(scope)?.longest(tokens)
    const hit = entry?.tokens.length ?? 0
    this.#hitTokens += hit
    this.#missTokens += tokens.length - hit
    if (entry === undefined) return undefined
    if (entry.leases === 0) {
      this.#idle.delete(entry)
      this.#leasedBytes += entry.bytes
    }
    entry.leases += 1
    return new Lease(entry, () => this.#giveBack(entry))
  }

  /** A snapshot of the counters. */
  stats(): PrefixCacheStats {
    if (this.#disposed) throw disposedError('PrefixCache.stats', 'cache')
    const [entries, bytes, leasedBytes] = [this.#entries, this.#bytes, this.#leasedBytes]
    const [hitTokens, missTokens, evictions] = [this.#hitTokens, this.#missTokens, this.#evictions]
    return { entries, bytes, leasedBytes, hitTokens, missTokens, evictions }
  }

  /** Gives up every value; leased ones when their lease ends. Counters stay. */
  clear(): void {
    if (this.#disposed) throw disposedError('PrefixCache.clear', 'cache')
    this.#clear()
  }

  /** `clear`, for good. Disposing twice is allowed. */
  dispose(): void {
    this.#disposed = true
    this.#clear()
  }

  [Symbol.dispose](): void {
    this.dispose()
  }

  #clear(): void {
    const all = [...this.#scopes.values()].flatMap((tree) => [...tree.items()])
    this.#release(all.flatMap((entry) => this.#detach(entry)))
  }

  #attach(entry: Entry<V>): void {
    const tree = this.#scopes.get(entry.scope) ?? new RadixTree<Entry<V>>()
    tree.set(entry.tokens, entry)
    this.#scopes.set(entry.scope, tree)
    this.#idle.add(entry)
    this.#entries += 1
    this.#bytes += entry.bytes
  }

  /** Takes an entry out of the index; returns it if its value may be released now. */
  #detach(entry: Entry<V>): Entry<V>[] {
    const tree = this.#scopes.get(entry.scope)!
    tree.delete(entry.tokens)
    if (tree.size === 0) this.#scopes.delete(entry.scope)
    this.#entries -= 1
    entry.attached = false
    if (entry.leases > 0) return []
    this.#idle.delete(entry)
    this.#bytes -= entry.bytes
    return [entry]
  }

  #giveBack(entry: Entry<V>): void {
    entry.leases -= 1
    if (entry.leases > 0) return
    this.#leasedBytes -= entry.bytes
    if (entry.attached) {
      this.#idle.add(entry)
      return
    }
    this.#bytes -= entry.bytes
    this.#release([entry])
  }

  /** Called last, when the cache is consistent, so that `release` may throw or call the cache; the first error is thrown at the end. */
  #release(entries: readonly Entry<V>[]): void {
    const errors: unknown[] = []
    for (const { value } of entries) {
      try {
        this.#options.release?.(value)
      } catch (error) {
        errors.push(error)
      }
    }
    if (errors.length > 0) throw errors[0]
  }

  #check(operation: string, tokens: Int32Array, options: { readonly scope?: string }): string {
    if (this.#disposed) throw disposedError(operation, 'cache')
    checkInt32(operation, 'tokens', tokens)
    const { scope = '' } = options
    checkScope(operation, scope)
    return scope
  }
}

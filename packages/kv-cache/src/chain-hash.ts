/**
 * H(previous, tokens[at … at + count)): MurmurHash3 (32 bit, Appleby 2011) over the tokens with `previous` as seed, so that a block's
 * hash depends on every token before it through its parent's hash. Not cryptographic: equal hashes are no proof of equal tokens.
 */
export function chainHash(previous: number, tokens: Int32Array, at: number, count: number): number {
  let hash = previous
  for (let i = at; i < at + count; i += 1) {
    let k = Math.imul(tokens[i]!, 0xcc9e2d51)
    k = Math.imul((k << 15) | (k >>> 17), 0x1b873593)
    hash ^= k
    hash = (Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64) | 0
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return hash ^ (hash >>> 16)
}

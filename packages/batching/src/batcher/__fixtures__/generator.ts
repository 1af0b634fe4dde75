/** Numbers from 0 to 1 that a seed determines. */
export function generator(seed: number): () => number {
  let state = Math.imul(seed + 1, 2654435761) >>> 0 // neighbouring seeds start far apart
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}

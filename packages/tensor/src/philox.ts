export type Words = Uint32Array

/** out [4] = Philox 4×32 of a counter [4] under a key [2], 10 rounds. Salmon et al. 2011, Random123. */
export function philox(out: Words, counter: ArrayLike<number>, key: ArrayLike<number>): void {
  let [a, b, c, d] = [counter[0]! | 0, counter[1]! | 0, counter[2]! | 0, counter[3]! | 0]
  let [keyLow, keyHigh] = [key[0]! | 0, key[1]! | 0]
  for (let round = 0; round < 10; round++) {
    const highA = multiplyHigh(0xd2511f53, a)
    const lowA = Math.imul(0xd2511f53, a)
    const highC = multiplyHigh(0xcd9e8d57, c)
    const lowC = Math.imul(0xcd9e8d57, c)
    a = highC ^ b ^ keyLow
    b = lowC
    c = highA ^ d ^ keyHigh
    d = lowA
    keyLow = (keyLow + 0x9e3779b9) | 0
    keyHigh = (keyHigh + 0xbb67ae85) | 0
  }
  out[0] = a
  out[1] = b
  out[2] = c
  out[3] = d
}

/** The upper 32 bits of the product of two unsigned 32-bit numbers. */
function multiplyHigh(x: number, y: number): number {
  const [xLow, xHigh] = [x & 0xffff, x >>> 16]
  const [yLow, yHigh] = [y & 0xffff, y >>> 16]
  const middle = xHigh * yLow + ((xLow * yLow) >>> 16) // below 2³²
  const carry = xLow * yHigh + (middle & 0xffff)
  return (xHigh * yHigh + (middle >>> 16) + (carry >>> 16)) | 0
}

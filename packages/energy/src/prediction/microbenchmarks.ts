import type { Microbenchmark } from './calibrate-energy-model.js'

/** 64 MiB, beyond the caches of most CPUs. */
const streamLength = 2 ** 23
const multiplySteps = 2 ** 18
const sleepMilliseconds = 20

/** A sleep, a read stream, a multiply loop, and stream and loop in turns, in plain JavaScript on one thread. */
export function defaultMicrobenchmarks(): readonly Microbenchmark[] {
  const values = new Float64Array(streamLength).fill(1)
  const stream = { bytes: values.byteLength, flops: streamLength, run: () => sumOf(values) }
  // Four multiply-adds a step.
  const multiply = { bytes: 0, flops: 8 * multiplySteps, run: () => multiplyLoop(multiplySteps) }
  const sleep = {
    bytes: 0,
    flops: 0,
    run: () => new Promise((resolve) => setTimeout(resolve, sleepMilliseconds)),
  }
  const both = {
    bytes: stream.bytes,
    flops: stream.flops + multiply.flops,
    run: () => stream.run() + multiply.run(),
  }
  return [sleep, stream, multiply, both]
}

/** In four sums, so that memory and not the latency of an addition is what it waits for. */
function sumOf(values: Float64Array): number {
  let [first, second, third, fourth] = [0, 0, 0, 0] as [number, number, number, number]
  for (let index = 0; index < values.length; index += 4) {
    first += values[index]!
    second += values[index + 1]!
    third += values[index + 2]!
    fourth += values[index + 3]!
  }
  return first + second + third + fourth
}

function multiplyLoop(steps: number): number {
  let [first, second, third, fourth] = [1, 2, 3, 4] as [number, number, number, number]
  for (let step = 0; step < steps; step++) {
    first = first * 0.999 + 0.1
    second = second * 0.999 + 0.1
    third = third * 0.999 + 0.1
    fourth = fourth * 0.999 + 0.1
  }
  return first + second + third + fourth
}

// The physical limits of this machine, probed next to what is held against them.

export const limitNames = {
  read: 'read bandwidth',
  f32: 'f32 multiply-add',
  bf16: 'bf16 multiply-add',
  int8: 'int8 multiply-add',
}

/** Bytes or operations per second; 0 where the machine lacks the instruction. */
export function probe(kernels, limit, threads) {
  return limit === 'read' ? kernels.probeReadBandwidth({ threads }) : kernels.probePeak(limit, { threads })
}

/** Every limit on one and two threads before `part` and after it: the ceiling of a shared host moves. Rows for the JSON, one line each. */
export async function betweenProbes(kernels, name, part) {
  const all = () =>
    threadCounts(kernels).flatMap((threads) =>
      Object.keys(limitNames).map((limit) => ({
        limit,
        threads,
        value: probe(kernels, limit, threads) / 1e9,
      })),
    )
  const before = all()
  const rows = await part()
  const after = all()
  const limits = before.map(({ limit, threads, value }, index) => ({
    kernel: `limit: ${limitNames[limit]}`,
    shape: `around ${name}`,
    threads,
    ours: Math.max(value, after[index].value),
    unit: limit === 'read' ? 'GB/s' : 'Gop/s',
    before: value,
    after: after[index].value,
    peers: [],
  }))
  console.log(`\nLimits around ${name}, before → after`)
  for (const { kernel, threads, before: first, after: last, unit } of limits)
    console.log(
      `  ${kernel.padEnd(25)} ${threads} thread${threads > 1 ? 's' : ' '}  ${first.toFixed(1)} → ${last.toFixed(1)} ${unit}`,
    )
  return [...limits, ...rows]
}

let counts

/** One thread and two, where there were two at the start: rows change how many are in use. */
export function threadCounts(kernels) {
  counts ??= kernels.threads > 1 ? [1, 2] : [1]
  return counts
}

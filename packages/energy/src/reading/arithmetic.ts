import { checkNumber, invalid } from '../check.js'
import {
  createReading,
  unavailableReading,
  type AboveIdle,
  type Boundary,
  type Method,
  type Reading,
} from './reading.js'

const methods: readonly Method[] = ['measured', 'derived', 'estimated', 'unavailable']
const boundaries: readonly Boundary[] = ['process', 'device', 'node', 'facility']

/**
 * Σ of readings taken one after another on the same hardware: joules, bounds and seconds add; the method is the worst among them.
 * One unavailable reading makes the sum unavailable, with its reason: a partial sum would pass for a whole one. So does one without
 * `aboveIdle` to that part.
 *
 * @throws `ERR_BIO_VALUE` for an empty list.
 */
export function addReadings(readings: readonly Reading[]): Reading {
  const seconds = sum(readings.map((reading) => reading.seconds))
  const seen = sum(readings.map((reading) => reading.coverage * reading.seconds))
  return combine('addReadings', readings, {
    seconds,
    coverage: seconds > 0 ? Math.min(1, seen / seconds) : 1,
  })
}

/**
 * Σ of readings of different hardware over the same time (package and GPU): joules and bounds add, seconds do not.
 *
 * @throws `ERR_BIO_VALUE` for an empty list, or when two readings cover the same domain, which would count it twice.
 */
export function joinReadings(readings: readonly Reading[]): Reading {
  let [seconds, coverage] = [0, 1]
  const domains = new Set<string>()
  for (const reading of readings) {
    seconds = Math.max(seconds, reading.seconds)
    coverage = Math.min(coverage, reading.coverage)
    for (const domain of reading.domains) {
      if (domains.has(domain)) throw invalid('joinReadings', 'every domain once', `${domain} twice`)
      domains.add(domain)
    }
  }
  return combine('joinReadings', readings, { seconds, coverage })
}

/**
 * `left − right`, such as a window less a part of it: [left.low − right.high, left.high − right.low]. At best `derived`; may be negative.
 * Seconds, domains and boundary are those of `left`, coverage the lesser of both.
 */
export function subtractReadings(left: Reading, right: Reading): Reading {
  const method = worst([left.method, right.method, 'derived'])
  const fields = {
    ...left,
    method,
    source: joinSources(new Set([left.source, right.source])),
    samples: left.samples + right.samples,
    wraps: left.wraps + right.wraps,
    coverage: Math.min(left.coverage, right.coverage),
    reasons: unique([...left.reasons, ...right.reasons]),
  }
  if (left.joules === null || right.joules === null) return unavailableReading(fields)
  return createReading({
    ...fields,
    joules: left.joules - right.joules,
    low: left.low - right.high,
    high: left.high - right.low,
    aboveIdle: subtractAboveIdle(left.aboveIdle, right.aboveIdle),
  })
}

/**
 * `factor · reading`: per call, per token, per million. Joules, bounds, the part above idle and seconds scale; the method stays.
 *
 * @throws `ERR_BIO_VALUE` unless the factor is finite and at least 0, and the product finite.
 */
export function scaleReading(reading: Reading, factor: number): Reading {
  checkNumber('scaleReading', 'factor', factor, { minimum: 0 })
  const seconds = reading.seconds * factor
  if (reading.joules === null) return { ...reading, seconds }
  const { aboveIdle } = reading
  return createReading({
    ...reading,
    ...scaleBounds(reading, factor),
    aboveIdle: aboveIdle === null ? null : { ...aboveIdle, ...scaleBounds(aboveIdle, factor) },
    seconds,
  })
}

/**
 * Splits a reading over those who used it, in proportion to their weights (tokens, bytes, CPU time): Σ of the shares is the whole.
 * A share is at best `derived`, covers a `process` and lasts as long as the whole. The bounds are the whole's, not the doubt about the weights.
 *
 * @throws `ERR_BIO_VALUE` for no weights, a negative or infinite one, or a sum of 0.
 */
export function shareReading(reading: Reading, weights: readonly number[]): Reading[] {
  for (const weight of weights) checkNumber('shareReading', 'weight', weight, { minimum: 0 })
  const total = sum(weights)
  if (!(total > 0) || !Number.isFinite(total)) {
    throw invalid('shareReading', 'weights with a finite sum above 0', total)
  }
  const { seconds } = reading
  return weights.map((weight) => {
    const share = scaleReading(reading, weight / total)
    return createReading({ ...share, method: worst([share.method, 'derived']), boundary: 'process', seconds })
  })
}

/** One loop and no chain of maps: every window ends here, and chains took longer than all the rest of it. */
function combine(
  operation: string,
  readings: readonly Reading[],
  { seconds, coverage }: Pick<Reading, 'seconds' | 'coverage'>,
): Reading {
  if (readings.length === 0) throw invalid(operation, 'at least one reading', readings)
  const known = { joules: 0, low: 0, high: 0, count: 0 }
  const above: AboveIdle[] = []
  let [samples, wraps, worstMethod, narrowest] = [0, 0, 0, Infinity]
  const [sources, domains, found, reasons] = [
    new Set<string>(),
    new Set<string>(),
    new Set<Boundary>(),
    new Set<string>(),
  ]
  for (const reading of readings) {
    samples += reading.samples
    wraps += reading.wraps
    worstMethod = Math.max(worstMethod, methods.indexOf(reading.method))
    narrowest = Math.min(narrowest, boundaries.indexOf(reading.boundary))
    sources.add(reading.source)
    found.add(reading.boundary)
    for (const domain of reading.domains) domains.add(domain)
    for (const reason of reading.reasons) reasons.add(reason)
    if (reading.joules === null) continue
    known.joules += reading.joules
    known.low += reading.low
    known.high += reading.high
    known.count++
    if (reading.aboveIdle !== null) above.push(reading.aboveIdle)
  }
  if (found.size > 1) reasons.add(`a sum over boundaries: ${[...found].join(', ')}`)
  // Written out: spreading objects into one another costs more than the loop.
  const fields = {
    joules: known.joules,
    low: known.low,
    high: known.high,
    method: methods[worstMethod]!,
    source: joinSources(sources),
    domains: [...domains],
    boundary: boundaries[narrowest]!,
    seconds,
    coverage,
    samples,
    wraps,
    reasons: [...reasons],
    aboveIdle: above.length === 0 || above.length < known.count ? null : sumAboveIdle(above),
  }
  return known.count < readings.length ? unavailableReading(fields) : createReading(fields)
}

function sumAboveIdle(all: readonly AboveIdle[]): AboveIdle {
  return {
    joules: sum(all.map(({ joules }) => joules)),
    low: sum(all.map(({ low }) => low)),
    high: sum(all.map(({ high }) => high)),
    method: worstAbove(all),
    calibratedAt: earliest(all),
  }
}

type Bounds = Pick<AboveIdle, 'joules' | 'low' | 'high'>

function scaleBounds({ joules, low, high }: Bounds, factor: number): Bounds {
  return { joules: joules * factor, low: low * factor, high: high * factor }
}

function subtractAboveIdle(left: AboveIdle | null, right: AboveIdle | null): AboveIdle | null {
  if (left === null || right === null) return null
  return {
    joules: left.joules - right.joules,
    low: left.low - right.high,
    high: left.high - right.low,
    method: worstAbove([left, right]),
    calibratedAt: earliest([left, right]),
  }
}

function worstAbove(all: readonly AboveIdle[]): AboveIdle['method'] {
  return all.some(({ method }) => method === 'estimated') ? 'estimated' : 'derived'
}

function earliest(all: readonly AboveIdle[]): string {
  return all.map(({ calibratedAt }) => calibratedAt).toSorted((a, b) => Date.parse(a) - Date.parse(b))[0]!
}

function worst(of: readonly Method[]): Method {
  return methods[Math.max(...of.map((method) => methods.indexOf(method)))]!
}

function joinSources(sources: ReadonlySet<string>): string {
  if (sources.size === 1) return [...sources][0]!
  return unique([...sources].flatMap((source) => source.split(' + '))).join(' + ')
}

function unique<T>(values: readonly T[]): T[] {
  return [...new Set(values)]
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}

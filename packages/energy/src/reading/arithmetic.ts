import { checkNumber, invalid } from '../check.js'
import { createReading, unavailableReading, type Boundary, type Method, type Reading } from './reading.js'

const methods: readonly Method[] = ['measured', 'derived', 'estimated', 'unavailable']
const boundaries: readonly Boundary[] = ['process', 'device', 'node', 'facility']

/**
 * Σ of readings taken one after another on the same hardware: joules, bounds and seconds add; the method is the worst among them.
 * One unavailable reading makes the sum unavailable, with its reason: a partial sum would pass for a whole one.
 *
 * @throws `ERR_BIO_VALUE` for an empty list.
 */
export function addReadings(readings: readonly Reading[]): Reading {
  return combine('addReadings', readings, sum(readings.map(({ seconds }) => seconds)))
}

/**
 * Σ of readings of different hardware over the same time (package and GPU): joules and bounds add, seconds do not.
 *
 * @throws `ERR_BIO_VALUE` for an empty list, or when two readings cover the same domain, which would count it twice.
 */
export function joinReadings(readings: readonly Reading[]): Reading {
  const domains = readings.flatMap((reading) => reading.domains)
  const twice = domains.find((domain, index) => domains.indexOf(domain) !== index)
  if (twice !== undefined) throw invalid('joinReadings', 'every domain once', `${twice} twice`)
  return combine('joinReadings', readings, Math.max(...readings.map(({ seconds }) => seconds)))
}

/**
 * `left − right`, such as gross minus an idle baseline: [left.low − right.high, left.high − right.low]. At best `derived`; may be negative.
 * Seconds, domains and boundary are those of `left`.
 */
export function subtractReadings(left: Reading, right: Reading): Reading {
  const method = worst([left.method, right.method, 'derived'])
  const fields = {
    ...left,
    method,
    source: join([left.source, right.source]),
    samples: left.samples + right.samples,
    wraps: left.wraps + right.wraps,
    reasons: unique([...left.reasons, ...right.reasons]),
  }
  if (left.joules === null || right.joules === null) return unavailableReading(fields)
  return createReading({
    ...fields,
    joules: left.joules - right.joules,
    low: left.low - right.high,
    high: left.high - right.low,
  })
}

/**
 * `factor · reading`: per call, per token, per million. Joules, bounds and seconds scale; the method stays.
 *
 * @throws `ERR_BIO_VALUE` unless the factor is finite and at least 0, and the product finite.
 */
export function scaleReading(reading: Reading, factor: number): Reading {
  checkNumber('scaleReading', 'factor', factor, { minimum: 0 })
  const seconds = reading.seconds * factor
  if (reading.joules === null) return { ...reading, seconds }
  const { joules, low, high } = reading
  return createReading({
    ...reading,
    joules: joules * factor,
    low: low * factor,
    high: high * factor,
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

function combine(operation: string, readings: readonly Reading[], seconds: number): Reading {
  const [first] = readings
  if (first === undefined) throw invalid(operation, 'at least one reading', readings)
  const narrowest = boundaries[Math.min(...readings.map(({ boundary }) => boundaries.indexOf(boundary)))]!
  const mixed = readings.some(({ boundary }) => boundary !== first.boundary)
  const fields = {
    method: worst(readings.map(({ method }) => method)),
    source: join(readings.map(({ source }) => source)),
    domains: unique(readings.flatMap(({ domains }) => domains)),
    boundary: narrowest,
    seconds,
    samples: sum(readings.map(({ samples }) => samples)),
    wraps: sum(readings.map(({ wraps }) => wraps)),
    reasons: unique([
      ...readings.flatMap(({ reasons }) => reasons),
      ...(mixed
        ? [`a sum over boundaries: ${unique(readings.map(({ boundary }) => boundary)).join(', ')}`]
        : []),
    ]),
  }
  const known = readings.filter((reading) => reading.joules !== null)
  if (known.length < readings.length) return unavailableReading(fields)
  return createReading({
    ...fields,
    joules: sum(known.map(({ joules }) => joules)),
    low: sum(known.map(({ low }) => low)),
    high: sum(known.map(({ high }) => high)),
  })
}

function worst(of: readonly Method[]): Method {
  return methods[Math.max(...of.map((method) => methods.indexOf(method)))]!
}

function join(sources: readonly string[]): string {
  return unique(sources.flatMap((source) => source.split(' + '))).join(' + ')
}

function unique<T>(values: readonly T[]): T[] {
  return [...new Set(values)]
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}

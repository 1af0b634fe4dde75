import { BioError } from '@bio/errors'
import { describeValue } from '../check.js'
import type { CarbonIntensity } from './carbon-intensity.js'

/** Grams per kilowatt-hour by zone. */
type Zones = ReadonlyMap<string, number>

interface YearOfData {
  readonly data: Readonly<Record<string, { readonly carbonIntensity: { readonly value: number } }>>
}

const source = 'Electricity Maps yearly averages by @tgwf/co2, Open Database License'

/**
 * The yearly average of a grid zone, location-based, as Electricity Maps publishes it through the optional `@tgwf/co2` (life cycle,
 * consumption after imports; 352 zones, 2021 to 2025). The data may be used if Electricity Maps is credited, and a database made from
 * it must stay open (ODbL); the `source` of the result is that credit.
 *
 * The data state no uncertainty. The bounds are the lowest and highest of the published years: how far a yearly average moves. An
 * hour moves further: pass an intensity of your own where you know the hour.
 *
 * @param options.region A country (`DE`) or a part of one (`US-CAL-CISO`).
 * @param options.year The newest year by default.
 * @throws `ERR_BIO_VALUE` for a region or a year that is not in the data, saying which are; `ERR_BIO_CONFIG` without `@tgwf/co2`.
 *
 * @example
 * ```ts
 * import { gridIntensity } from '@bio/energy'
 *
 * const { gramsPerKilowattHour, source } = await gridIntensity({ region: 'FR', year: 2024 })
 * console.log(gramsPerKilowattHour, source) // => { low: 31, expected: 33, high: 91 } Electricity Maps yearly averages by @tgwf/co2, Open Database License
 * ```
 */
export async function gridIntensity(options: {
  readonly region: string
  readonly year?: number
}): Promise<CarbonIntensity> {
  const years = await readYears()
  const { region, year = Math.max(...years.keys()) } = options
  const zones = years.get(year)
  if (zones === undefined) throw unknown(`a year of ${[...years.keys()].toSorted().join(', ')}`, year)
  const expected = zones.get(region)
  if (expected === undefined) {
    throw unknown(`a zone of Electricity Maps: ${nearby([...zones.keys()], region).join(', ')}`, region)
  }
  const all = [...years.values()].flatMap((of) => of.get(region) ?? [])
  const range = { low: Math.min(...all), expected, high: Math.max(...all) }
  return { basis: 'location', gramsPerKilowattHour: range, region, year, source }
}

async function readYears(): Promise<Map<number, Zones>> {
  let published: Record<string, YearOfData>
  try {
    // @ts-expect-error It comes without types.
    published = await import('@tgwf/co2/data/electricity-maps')
  } catch (cause) {
    throw new BioError('ERR_BIO_CONFIG', {
      operation: 'gridIntensity',
      expected: 'the package @tgwf/co2',
      received: 'none that can be imported',
      hint: 'Install @tgwf/co2, or pass an intensity of your own.',
      cause,
    })
  }
  return new Map(
    Object.entries(published).flatMap(([name, { data }]) => {
      const year = /^yearly(\d{4})$/.exec(name)?.[1]
      if (year === undefined) return []
      const zones = Object.entries(data).map(
        ([zone, { carbonIntensity }]) => [zone, carbonIntensity.value] as const,
      )
      return [[Number(year), new Map(zones)] as const]
    }),
  )
}

/** Zones that begin alike, or else all whole countries. */
function nearby(zones: readonly string[], region: unknown): readonly string[] {
  const start = typeof region === 'string' ? region.slice(0, 2).toUpperCase() : ''
  const alike = start.length < 2 ? [] : zones.filter((zone) => zone.startsWith(start))
  return alike.length > 0 ? alike : zones.filter((zone) => zone.length === 2)
}

function unknown(expected: string, received: unknown): BioError {
  return new BioError('ERR_BIO_VALUE', {
    operation: 'gridIntensity',
    expected,
    received: describeValue(received),
  })
}

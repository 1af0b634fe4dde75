import { describeError } from '../check.js'
import type { EnergyAccount, EnergySource, SourceOpening, SourceStatus } from '../source.js'

/** What the meter works with after it has asked every source. */
export interface OpenedSources {
  readonly accounts: readonly EnergyAccount[]
  readonly statuses: readonly SourceStatus[]
  /** What every reading has to say: why the better source of a component is not used, what is present but not counted. */
  readonly reasons: readonly string[]
}

/** Asks all sources and keeps, for each component, the first that works. */
export async function openSources(sources: readonly EnergySource[]): Promise<OpenedSources> {
  const openings = await Promise.all(sources.map(openOne))
  const accounts: EnergyAccount[] = []
  const used = new Map<string, EnergySource>()
  const statuses = sources.map((source, index): SourceStatus => {
    const opening = openings[index]!
    const { name, component, method } = source
    const winner = used.get(component)
    const status = { name, component, method, usable: opening.usable, used: false }
    if (!opening.usable) {
      return {
        ...status,
        reasons: opening.reasons,
        ...(opening.cure === undefined ? {} : { cure: opening.cure }),
      }
    }
    if (winner !== undefined) {
      opening.account.close?.()
      return { ...status, reasons: [...opening.reasons, `not used: ${winner.name} covers the ${component}`] }
    }
    used.set(component, source)
    accounts.push(opening.account)
    return { ...status, used: true, reasons: opening.reasons }
  })
  const reasons = sources.flatMap(({ name, component }, index) => {
    const opening = openings[index]!
    const winner = used.get(component)
    if (opening.usable || (winner !== undefined && sources.indexOf(winner) < index)) return []
    const why = opening.reasons.join('; ')
    if (winner !== undefined) return opening.present === false ? [] : [`no ${name}: ${why}`]
    return opening.present === true ? [`the ${component} is not counted: ${why}`] : []
  })
  return { accounts, statuses, reasons }
}

async function openOne(source: EnergySource): Promise<SourceOpening> {
  try {
    return await source.open()
  } catch (error) {
    return { usable: false, reasons: [`opening it failed: ${describeError(error)}`] }
  }
}

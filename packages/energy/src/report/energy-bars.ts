import type { Reading } from '../reading/reading.js'
import { amountWithBounds, escape } from './html.js'

/** Horizontal bars of energy, each with its bounds as a whisker and its method in words; unknown energy is words alone. */
export function energyBars(rows: readonly { readonly name: string; readonly energy: Reading }[]): string {
  const top = Math.max(...rows.map(({ energy }) => energy.high ?? 0)) || 1
  const percent = (value: number): string => `${((Math.max(0, value) / top) * 100).toFixed(2)}%`
  return `<div class="bars">${rows
    .map(({ name, energy }) => {
      const { joules, low, high, method, reasons } = energy
      const label = `<span class="name">${escape(name)}</span>`
      if (joules === null) {
        return `<div class="bar">${label}<span class="track"></span><span class="value unavailable">unknown: ${escape(reasons.join('; '))}</span></div>`
      }
      const whisker = `left:${percent(low)};width:calc(${percent(high)} - ${percent(low)})`
      const value = `${amountWithBounds({ low, expected: joules, high }, 'J')}, ${method}`
      return `<div class="bar">${label}<span class="track"><i class="fill ${method}" style="width:${percent(joules)}"></i><i class="whisker" style="${whisker}"></i></span><span class="value">${value}</span></div>`
    })
    .join('')}</div>`
}

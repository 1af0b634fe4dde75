const joulesPerKilowattHour = 3.6e6
const joulesPerMegawattHour = 3.6e9

/**
 * kWh = J / 3.6·10⁶.
 *
 * There and back is exact for joules of up to 15 significant digits, which holds counters of microjoules up to 10⁹ J.
 *
 * @example
 * ```ts
 * import { fromKilowattHours, toKilowattHours } from '@bio/energy'
 *
 * console.log(toKilowattHours(1.8e6), fromKilowattHours(toKilowattHours(0.1))) // => 0.5 0.1
 * ```
 */
export function toKilowattHours(joules: number): number {
  return joules / joulesPerKilowattHour
}

/** J = kWh · 3.6·10⁶, to 15 significant digits: two roundings of a double spoil only those after. */
export function fromKilowattHours(kilowattHours: number): number {
  return Number((kilowattHours * joulesPerKilowattHour).toPrecision(15))
}

/** MWh = J / 3.6·10⁹; there and back as exact as `toKilowattHours`. */
export function toMegawattHours(joules: number): number {
  return joules / joulesPerMegawattHour
}

/** J = MWh · 3.6·10⁹, to 15 significant digits. */
export function fromMegawattHours(megawattHours: number): number {
  return Number((megawattHours * joulesPerMegawattHour).toPrecision(15))
}

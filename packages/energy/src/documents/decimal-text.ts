/**
 * `value · 10^places` as a decimal number without exponent, exactly: joules to megajoules for formats that count in decimals.
 * The digits are those of JavaScript's shortest text of the number.
 */
export function shiftDecimal(value: number, places: number): string {
  const [mantissa = '0', exponent = '0'] = value.toExponential().split('e')
  const sign = mantissa.startsWith('-') ? '-' : ''
  const digits = mantissa.replace('-', '').replace('.', '')
  const point = Number(exponent) + 1 + places // digits before the point
  const text =
    point <= 0
      ? `0.${'0'.repeat(-point)}${digits}`
      : `${digits.slice(0, point).padEnd(point, '0')}.${digits.slice(point)}`
  return sign + text.replace(/\.?0*$/, '')
}

/**
 * Three significant figures without exponent, trailing zeros kept. Bounds are rounded outwards (`down`, `up`), so that they still hold
 * what they held.
 */
export function significant(value: number, rounding: 'nearest' | 'down' | 'up'): string {
  if (value === 0) return '0'
  const nearest = Number(value.toPrecision(3))
  const wrong = rounding === 'down' ? nearest > value : rounding === 'up' && nearest < value
  const step = 10 ** (Math.floor(Math.log10(Math.abs(nearest))) - 2)
  const rounded = wrong ? Number((nearest + (rounding === 'up' ? step : -step)).toPrecision(3)) : nearest
  const decimals = 2 - Math.floor(Math.log10(Math.abs(rounded)))
  return rounded.toFixed(Math.min(100, Math.max(0, decimals)))
}

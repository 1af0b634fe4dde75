/** 1234567 → '1.23 M', to three digits. */
export function quantity(value: number): string {
  const steps = [
    [1e12, ' T'],
    [1e9, ' G'],
    [1e6, ' M'],
    [1e3, ' k'],
  ] as const
  for (const [unit, suffix] of steps) if (Math.abs(value) >= unit) return `${digits(value / unit)}${suffix}`
  return digits(value)
}

/** Three significant digits, without an exponent for everyday sizes. */
export function digits(value: number): string {
  if (!Number.isFinite(value) || value === 0) return String(value)
  const magnitude = Math.floor(Math.log10(Math.abs(value)))
  return magnitude < -4 ? value.toExponential(2) : value.toFixed(Math.max(0, 2 - magnitude))
}

/** Bytes in the units of 1,024 that memory is sold in. */
export function bytes(value: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  const power = Math.min(units.length - 1, Math.floor(Math.log2(Math.max(1, value)) / 10))
  return `${digits(value / 1024 ** power)} ${units[power]}`
}

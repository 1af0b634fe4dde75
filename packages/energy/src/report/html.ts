/** Text that cannot be taken for markup. */
export function escape(text: string): string {
  return text.replace(
    /[&<>"']/g,
    (character) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' })[character]!,
  )
}

/** Rows of texts, the first one the head; of empty texts, none. */
export function table([head, ...rows]: readonly (readonly string[])[]): string {
  const cells = (row: readonly string[], tag: string): string =>
    `<tr>${row.map((cell) => `<${tag}>${escape(cell)}</${tag}>`).join('')}</tr>`
  const top = head!.some((cell) => cell !== '') ? `<thead>${cells(head!, 'th')}</thead>` : ''
  return `<div class="scroll"><table>${top}<tbody>${rows
    .map((row) => cells(row, 'td'))
    .join('')}</tbody></table></div>`
}

const prefixes = ['n', 'µ', 'm', '', 'k', 'M', 'G', 'T', 'P'] as const
const ones = 3 // where the prefix is empty

/** Three significant digits with the unit's prefix: `7.20 MJ`. */
export function amount(value: number, unit: string): string {
  if (value === 0) return `0 ${unit}`
  const size = Math.floor(Math.log10(Math.abs(Number(value.toPrecision(3)))) / 3)
  const step = Math.min(prefixes.length - 1 - ones, Math.max(-ones, size))
  const scaled = value / 1000 ** step
  const decimals = Math.min(
    20,
    Math.max(0, 2 - Math.floor(Math.log10(Math.abs(Number(scaled.toPrecision(3)))))),
  )
  return `${scaled.toFixed(decimals)} ${prefixes[step + ones]}${unit}`
}

/** `10.0 h`, in the unit for a time as long as `scale`. */
export function duration(seconds: number, scale: number = seconds): string {
  const unit = durationUnit(scale)
  if (unit.name === 's') return amount(seconds, 's')
  return `${Number((seconds / unit.seconds).toPrecision(3))} ${unit.name}`
}

export function durationUnit(seconds: number): { readonly name: string; readonly seconds: number } {
  if (seconds >= 3 * 3600) return { name: 'h', seconds: 3600 }
  return seconds >= 300 ? { name: 'min', seconds: 60 } : { name: 's', seconds: 1 }
}

/** `557 J (136 J to 2.13 kJ)` */
export function amountWithBounds({ low, expected, high }: Bounds, unit: string): string {
  return `${amount(expected, unit)} (${amount(low, unit)} to ${amount(high, unit)})`
}

interface Bounds {
  readonly low: number
  readonly expected: number
  readonly high: number
}

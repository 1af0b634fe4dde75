/** Rows as aligned columns, the first row as head: the first column to the left, the others to the right. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  const line = (row: readonly string[]): string =>
    `  ${row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!))).join('   ')}`.trimEnd()
  const rule = `  ${widths.map((cells) => '─'.repeat(cells)).join('───')}`
  const [head, ...body] = rows
  return [line(head!), rule, ...body.map(line)].join('\n')
}

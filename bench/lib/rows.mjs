// The rows of a bench: what was measured, ours, and each peer with its ratio; printed as tables, kept as JSON.
import { writeFileSync } from 'node:fs'
import { machineLine } from './machine.mjs'

/**
 * One row. `subject` names what was measured (`{ kernel, shape, threads }`, `{ part, trace }`), `peers` are
 * `{ name, version, value }` in the same `unit`. A `ratio` says how much better ours is: ours / value where more is better
 * (`better: 'higher'`), value / ours where less is (`'lower'`). `limit` is a physical limit probed in the same run, `ofLimit` the part
 * of it reached; `target` a figure to reach or stay under, `met` whether ours does. Further fields are kept as they are.
 */
export function row({ subject, ours, unit, better, limit, target, peers = [], ...notes }) {
  const ratio = (value) => (better === 'higher' ? ours / value : value / ours)
  return {
    ...subject,
    ours,
    unit,
    better,
    ...(limit === undefined ? {} : { limit, ofLimit: ratio(limit) }),
    ...(target === undefined ? {} : { target, met: ratio(target) >= 1 }),
    peers: peers.map((peer) => ({ ...peer, ratio: ratio(peer.value) })),
    ...notes,
  }
}

/** Prints rows of one kind beneath a title: a column for each field (lists stay in the JSON), then one for each peer, as `value (ratio×)`. */
export function printRows(title, rows) {
  const fields = [...new Set(rows.flatMap((entry) => Object.keys(entry)))].filter(
    (field) => !rows.some((entry) => Array.isArray(entry[field])),
  )
  const peers = [...new Set(rows.flatMap((entry) => entry.peers.map(({ name }) => name)))]
  const table = [
    [...fields, ...peers],
    ...rows.map((entry) => [
      ...fields.map((field) => format(entry[field])),
      ...peers.map((name) => {
        const peer = entry.peers.find((candidate) => candidate.name === name)
        return peer ? `${format(peer.value)} (${peer.ratio.toFixed(2)}×)` : '–'
      }),
    ]),
  ]
  const widths = table[0].map((_, column) => Math.max(...table.map((cells) => cells[column].length)))
  console.log(`\n${title}`)
  for (const cells of table) console.log(cells.map((cell, column) => cell.padEnd(widths[column])).join('  '))
}

/** The end of a bench: its rows as JSON where `--json FILE` asks for it, with the machine and the settings that gave them. */
export function writeRows(file, { bench, machine, settings, rows }) {
  if (file === undefined) return
  const date = new Date().toISOString()
  writeFileSync(file, `${JSON.stringify({ bench, date, machine, settings, rows }, undefined, 2)}\n`)
  console.log(`\n${rows.length} rows in ${file} (${machineLine(machine)})`)
}

function format(value) {
  if (typeof value !== 'number') return value === undefined ? '' : String(value)
  if (Number.isInteger(value) || Math.abs(value) >= 1000) return value.toFixed(0)
  return value.toPrecision(3)
}

import { expect, test } from 'vitest'
import { childrenUsage } from './cpu-usage.js'
import { findMarked } from './marked-processes.js'

/** A `/proc/…/stat` with utime, stime, cutime and cstime in ticks, and a name that tries to mislead. */
const stat = (...ticks: readonly [number, number, number, number]): string =>
  `7 (a) 9 name) S 1 ${'0 '.repeat(9)}${ticks.join(' ')} 20 0 1 0\n`

const proc = (files: Readonly<Record<string, string>>) => ({
  list: () => ['self', 'stat', ...new Set(Object.keys(files).map((path) => path.split('/')[2]!))],
  read: (path: string): string => {
    const text = files[path]
    if (text === undefined) throw Object.assign(new Error(`EACCES, ${path}`), { code: 'EACCES' })
    return text
  },
})

test('running processes count by their environment alone: their own time and that of the children they waited for', () => {
  const files = proc({
    '/proc/10/environ': 'A=1\0MARK=x\0B=2\0',
    '/proc/10/stat': stat(100, 50, 25, 25),
    '/proc/11/environ': 'MARK=xy\0NOMARK=x\0', // begins alike, ends alike
    '/proc/11/stat': stat(1000, 0, 0, 0),
    '/proc/12/stat': stat(1000, 0, 0, 0), // another user's
    '/proc/13/environ': 'MARK=x', // ended between the two reads
  })
  expect(findMarked('MARK=x', files)).toEqual({ count: 1, seconds: 2 })
})

test('what runs still is added to what has ended, each with its ticks in the resolution, and a note says so', () => {
  let running = { count: 0, seconds: 0 }
  const usage = childrenUsage(
    () => stat(5, 5, 100, 100),
    4,
    () => running,
  )
  expect([usage.read().busy, usage.resolution, usage.notes]).toEqual([2, 0.02, []])
  running = { count: 2, seconds: 3 }
  expect([usage.read().busy, usage.resolution]).toEqual([5, 0.1])
  expect(usage.notes?.join()).toMatch(/^2 processes that were left running: counted until now/)
})

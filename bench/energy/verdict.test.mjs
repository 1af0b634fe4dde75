import { expect, test } from 'vitest'
import { judge } from './verdict.mjs'

const truth = { least: 99, most: 101 }

test.each([
  [{ joules: 100 }, 'right'],
  [{ joules: 111 }, 'right'],
  [{ joules: 112 }, 'wrong'],
  [{ joules: 50 }, 'wrong'],
  [{ joules: -50 }, 'wrong'],
  [{ joules: 0 }, 'silent zero'],
  [{ joules: 100, low: 98, high: 102, method: 'measured' }, 'right'],
  [{ joules: 100, low: 102, high: 103, method: 'measured' }, 'wrong'],
  [{ joules: 150, low: 50, high: 300, method: 'measured' }, 'bounded'],
  [{ joules: 100, low: 50, high: 300, method: 'estimated' }, 'bounded'],
  [{ joules: 30, method: 'model', warned: true }, 'estimate'],
  [{ unavailable: 'EACCES' }, 'unavailable'],
  [{ raised: 'ValueError' }, 'raised'],
])('%o of 100 J: %s', (answer, verdict) => {
  expect(judge(answer, truth).verdict).toBe(verdict)
})

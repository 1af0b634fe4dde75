import { expect, test } from 'vitest'
import { Progress } from './progress.js'

function record(isTTY: boolean): {
  text: string
  isTTY: boolean
  columns: number
  write: (text: string) => void
} {
  const screen = { text: '', isTTY, columns: 100, write: (text: string) => void (screen.text += text) }
  return screen
}

test('without a terminal a thousand updates are three lines and the last', () => {
  const screen = record(false)
  const progress = new Progress('training', { total: 1000, screen })
  for (let i = 1; i <= 1000; i++) progress.update(i, `step ${i}`)
  progress.end('done')
  const lines = screen.text.trimEnd().split('\n')
  expect(lines).toHaveLength(4)
  expect(lines[0]).toContain('25 %  step 250')
  expect(lines[3]).toContain('100 %  done')
})

test('on a terminal one line is redrawn, and never longer than the screen', () => {
  const screen = record(true)
  const progress = new Progress('training', { total: 10, screen })
  for (let i = 1; i <= 10; i++) progress.update(i, 'x'.repeat(500))
  progress.end()
  expect(screen.text.split('\n')).toHaveLength(2)
  for (const line of screen.text.split('\r\u001B[K')) expect(line.trimEnd().length).toBeLessThan(100)
})

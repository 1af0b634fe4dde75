import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { page } from './page.js'

const html = page({
  title: 'a < b',
  lead: '</script><script>alert(1)</script>',
  sections: [
    {
      heading: 'one',
      text: 'two',
      table: [
        ['', 'x'],
        ['y', '</td>'],
      ],
      charts: [
        {
          title: 't',
          caption: 'c',
          xLabel: 'x',
          yLabel: '</script>',
          x: [1, 2],
          series: [{ label: 's', values: [1, null] }],
        },
      ],
    },
  ],
})

test('nothing is loaded from elsewhere', () => {
  expect(html).not.toMatch(/(src|href)\s*=\s*["']?(https?:)?\/\//)
  expect(html).toContain('uPlot')
})

test('no text breaks out of its place', () => {
  expect(html).toContain('a &lt; b')
  expect(html).not.toContain('<script>alert')
  expect(html.match(/<\/script>/g)).toHaveLength(2)
})

test('charts load in a browser whose language is no language tag', () => {
  const [, script] = /<script>([^]*?)<\/script>/.exec(html)!
  const listens = { addEventListener: () => {}, dispatchEvent: () => true }
  for (const language of ['C', 'en-US@posix', 'de']) {
    const browser = {
      navigator: { language },
      window: listens,
      document: listens,
      devicePixelRatio: 1,
      matchMedia: () => listens,
      CustomEvent: Event,
    }
    expect(runInNewContext(`${script}; typeof uPlot`, browser)).toBe('function')
  }
})

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

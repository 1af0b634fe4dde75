import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'

/** Values over a shared x axis. */
export interface Chart {
  readonly title: string
  /** What the chart shows, one sentence. */
  readonly caption: string
  readonly xLabel: string
  readonly yLabel: string
  readonly x: readonly number[]
  readonly series: readonly { readonly label: string; readonly values: readonly (number | null)[] }[]
  /** Names for whole x: bars over them instead of lines over time. */
  readonly places?: readonly string[]
}

export interface Section {
  readonly heading: string
  readonly text?: string
  readonly table?: readonly (readonly string[])[]
  readonly charts?: readonly Chart[]
}

const escape = (text: string): string =>
  text.replace(
    /[&<>"]/g,
    (character) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[character]!,
  )

/** JSON that cannot end the script element it stands in. */
const embed = (value: unknown): string => JSON.stringify(value).replaceAll('<', '\\u003c')

/** A page with everything inside it: no script, style or picture from elsewhere. */
export function page({
  title,
  lead,
  sections,
}: {
  title: string
  lead: string
  sections: readonly Section[]
}): string {
  const require = createRequire(import.meta.url)
  const plotScript = readFileSync(require.resolve('uplot/dist/uPlot.iife.min.js'), 'utf8')
  const plotStyle = readFileSync(require.resolve('uplot/dist/uPlot.min.css'), 'utf8')
  const charts = sections.flatMap((section) => section.charts ?? [])
  let chart = 0
  const body = sections
    .map(({ heading, text, table, charts: own = [] }) => {
      const figures = own.map(({ title: name, caption }) => {
        const legend = `<figcaption><strong>${escape(name)}</strong> ${escape(caption)}</figcaption>`
        return `<figure><div class="plot" id="chart-${chart++}"></div>${legend}</figure>`
      })
      return `<section><h2>${escape(heading)}</h2>${text === undefined ? '' : `<p>${escape(text)}</p>`}${table === undefined ? '' : htmlTable(table)}<div class="figures">${figures.join('')}</div></section>`
    })
    .join('\n')
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(title)}</title>
<style>${plotStyle}${style}</style>
</head>
<body>
<main>
<h1>${escape(title)}</h1>
<p class="lead">${escape(lead)}</p>
${body}
</main>
<script>${language}
${plotScript}</script>
<script>const charts = ${embed(charts)}
${draw}</script>
</body>
</html>
`
}

/** A table without a head is one of words, not of figures. */
function htmlTable([head, ...rows]: readonly (readonly string[])[]): string {
  const cells = (row: readonly string[], tag: string): string =>
    `<tr>${row.map((cell) => `<${tag}>${escape(cell)}</${tag}>`).join('')}</tr>`
  if (head!.length === 0)
    return `<table class="words"><tbody>${rows.map((row) => cells(row, 'td')).join('')}</tbody></table>`
  return `<table><thead>${cells(head!, 'th')}</thead><tbody>${rows.map((row) => cells(row, 'td')).join('')}</tbody></table>`
}

const style = `
:root { color-scheme: light; --ink: #1d2528; --soft: #5d6b70; --line: #dfe5e6; --paper: #fbfcfb; --leaf: #1f7a5c }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.55 system-ui, sans-serif }
main { max-width: 64rem; margin: 0 auto; padding: 3rem 1.5rem 5rem }
h1 { font-size: 2rem; margin: 0 0 .5rem } h2 { font-size: 1.25rem; margin: 3rem 0 .25rem; color: var(--leaf) }
.lead { font-size: 1.1rem; color: var(--soft); max-width: 46rem } section > p { max-width: 46rem }
table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums; display: block; overflow-x: auto }
th, td { padding: .35rem .9rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap } th:first-child, td:first-child { text-align: left; padding-left: 0 }
.words td { text-align: left; white-space: normal; vertical-align: top }
th { color: var(--soft); font-weight: 600 }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(26rem, 100%), 1fr)); gap: 1.5rem }
figure { margin: 1rem 0 0 } figcaption { color: var(--soft); font-size: .9rem } .plot { width: 100% } .u-legend { font-size: .85rem; text-align: left }
`

/** uPlot formats numbers by the browser's language, and does not load where that is no language tag (`C`, of a browser started without a locale). */
const language = `
try { new Intl.NumberFormat(navigator.language) }
catch { Object.defineProperty(navigator, 'language', { value: 'en-US' }) }
`

/** Runs in the page. Plain script: it is shipped as text. */
const draw = `
const colours = ['#1f7a5c', '#c2571a', '#3b5fa8', '#8a4b9c', '#a38a1b', '#4c5a5f', '#b03a5b', '#2b8f9e']
charts.forEach((chart, index) => {
  const home = document.getElementById('chart-' + index)
  const bars = chart.places !== undefined
  const paths = bars ? uPlot.paths.bars({ size: [0.7, 60] }) : undefined
  const ends = [chart.x[0] - 0.6, chart.x.at(-1) + 0.6]
  const places = { splits: () => chart.x, values: (u, at) => at.map((x) => chart.places[chart.x.indexOf(x)]), grid: { show: false } }
  const plot = new uPlot({
    width: home.clientWidth, height: 260,
    scales: { x: { time: false, ...(bars ? { range: ends } : {}) }, y: bars ? { range: (u, low, high) => [0, high * 1.05 || 1] } : {} },
    legend: { live: false, show: chart.series.length > 1 },
    axes: [{ label: chart.xLabel, ...(bars ? places : {}) }, { label: chart.yLabel, size: 64 }],
    series: [{ label: chart.xLabel }, ...chart.series.map(({ label }, at) => ({
      label, paths, stroke: colours[at % colours.length], width: 2, spanGaps: true,
      fill: bars ? colours[at % colours.length] + '99' : undefined, points: { show: !bars && chart.x.length < 20 },
    }))],
  }, [chart.x, ...chart.series.map(({ values }) => values)], home)
  addEventListener('resize', () => plot.setSize({ width: home.clientWidth, height: 260 }))
})
`

import { cpus } from 'node:os'
import type { Experiment } from '../experiment.js'
import { summaryRows } from '../summary.js'
import type { Digits } from '../digits.js'
import { digitPicture } from './digit-picture.js'
import { exitBars } from './exit-bars.js'
import { tradeOff } from './trade-off.js'

/** What the example found, in one file that needs no other. */
export function page(found: Experiment): string {
  const { settings, calibration, trainSeconds, full, calibrated, test } = found
  const { exits } = settings.model
  const speedup = (full.median / calibrated.median).toFixed(2)
  const [head, ...rows] = summaryRows(found)
  const cells = (row: readonly string[], tag: string): string =>
    `<tr>${row.map((cell) => `<${tag}>${cell}</${tag}>`).join('')}</tr>`
  const lost = 100 * (full.accuracy - calibrated.accuracy)
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Stop when sure</title>
<style>${style}</style>
</head>
<body>
<main>
<h1>Stop when sure</h1>
<p class="lead">A transformer of ${settings.model.layers} layers reads digits in batches of ${settings.batch}. Where each digit may leave after ${exits.join(', ').replace(/, (\d+)$/, ' or $1')} layers, a batch takes ${speedup} times less wall-clock time, and ${Math.abs(lost).toFixed(2)} points of accuracy are ${lost < 0 ? 'gained' : 'lost'}.</p>
<table><thead>${cells(head!, 'th')}</thead><tbody>${rows.map((row) => cells(row, 'td')).join('')}</tbody></table>
<h2>Accuracy against time</h2>
<p>Each dot is a threshold. <b class="sample">Per sample</b>: a digit leaves when its own maximum probability reaches the threshold, and the others go on as a smaller batch. <b class="mean">Batch mean</b>: all leave once the mean does. The band is ${100 * settings.epsilon} % below full depth. The calibrated threshold was chosen on ${calibration.rows} held-out digits, of which it lost ${calibration.lost}: at most ${(100 * calibration.lostAtMost).toFixed(2)} % of all such digits, with 95 % confidence.</p>
<figure>${tradeOff(found)}</figure>
<h2>How deep each digit went</h2>
<p>${exits.map((exit, k) => `<b class="exit-${k}">after ${exit} layers</b>`).join(', ')}.</p>
<figure>${exitBars(found)}</figure>
${exits.map((exit, k) => pictures(test, calibrated.exits, { exit, k })).join('')}
<p class="foot">${cpus()[0]?.model ?? 'unknown processor'}, ${cpus().length} cores, Node ${process.versions.node}; trained in ${trainSeconds.toFixed(0)} s on ${settings.counts[0]} digits of MNIST's test file, tested on ${test.size} others; times are of ${settings.repetitions.ways} passes in turns (${settings.repetitions.curves} for the curves).</p>
</main>
</body>
</html>
`
}

/** The first digits that left at one stage. */
function pictures(test: Digits, exits: Int32Array, { exit, k }: { exit: number; k: number }): string {
  const rows = [...exits.keys()].filter((row) => exits[row] === k).slice(0, 16)
  const images = rows.map((row) => `<img src="${digitPicture(test, row)}" alt="a ${test.labels[row]}">`)
  return `<p class="digits"><b class="exit-${k}">${exit}</b> ${images.join('') || 'none'}</p>`
}

const style = `
:root { color-scheme: light dark; --ink: light-dark(#1d2528, #e4eaea); --soft: light-dark(#5d6b70, #9babaf); --line: light-dark(#dfe5e6, #344044); --paper: light-dark(#fbfcfb, #15191b); --sample: light-dark(#1f7a5c, #4fc79b); --mean: light-dark(#c2571a, #f08c4a); --full: light-dark(#3b5fa8, #86a8ee) }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.55 system-ui, sans-serif }
main { max-width: 56rem; margin: 0 auto; padding: 3rem 1.5rem 4rem }
h1 { font-size: 2rem; margin: 0 0 .5rem } h2 { font-size: 1.25rem; margin: 2.5rem 0 .25rem }
.lead { font-size: 1.1rem; color: var(--soft) } .foot { color: var(--soft); font-size: .9rem; margin-top: 2.5rem }
table { border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums; display: block; overflow-x: auto }
th, td { padding: .35rem .5rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap } th:first-child, td:first-child { text-align: left; padding-left: 0 }
th { color: var(--soft); font-weight: 600 }
figure { margin: .5rem 0 } svg { width: 100%; height: auto; font: 13px system-ui, sans-serif } svg text { fill: var(--ink) }
.middle { text-anchor: middle } .end { text-anchor: end } .strong { font-weight: 600 } text.inside { fill: #fff }
.grid { stroke: var(--line) } .band { fill: var(--full); opacity: .12 }
polyline { fill: none; stroke-width: 2 } polyline.sample { stroke: var(--sample) } polyline.mean { stroke: var(--mean) }
circle.sample { fill: var(--sample) } circle.mean { fill: var(--mean) } circle.mark { fill: var(--paper); stroke-width: 3 }
circle.mark.sample { stroke: var(--sample) } circle.mark.mean { stroke: var(--mean) } circle.mark.full { stroke: var(--full) }
b.sample { color: var(--sample) } b.mean { color: var(--mean) }
rect.exit-0 { fill: #1f7a5c } rect.exit-1 { fill: #3b5fa8 } rect.exit-2 { fill: #8a4b9c }
b.exit-0 { color: light-dark(#1f7a5c, #4fc79b) } b.exit-1 { color: light-dark(#3b5fa8, #86a8ee) } b.exit-2 { color: light-dark(#8a4b9c, #c98bdb) }
.digits { display: flex; align-items: center; gap: .25rem; margin: .35rem 0 } .digits b { width: 2rem } .digits img { width: 2.4rem; height: 2.4rem; image-rendering: pixelated; border-radius: 3px }
`

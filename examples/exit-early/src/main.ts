import { writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { readDigits } from './digits.js'
import { experiment } from './experiment.js'
import { page } from './page/page.js'
import { Progress } from './progress.js'
import { fullSettings } from './settings.js'
import { summaryText } from './summary.js'

const data = process.env['BIO_DATA'] || undefined // empty is as good as absent
const folder = process.argv[2] ?? (data && join(data, 'mnist'))
if (folder === undefined) {
  console.error(
    'usage: start FOLDER   (the one that holds t10k-images-idx3-ubyte.gz and t10k-labels-idx1-ubyte.gz of MNIST)',
  )
  process.exit(1)
}

const stop = new AbortController()
process.once('SIGINT', () => stop.abort())
const progress = new Progress()
try {
  const found = await experiment(readDigits(folder), fullSettings, {
    signal: stop.signal,
    progress: (step, share, note) => progress.update(step, share, note),
  })
  console.log(summaryText(found))
  const { calibration } = found
  console.log(
    `promise: at most ${(100 * calibration.lostAtMost).toFixed(2)} % lost, with 95 % confidence; of ${calibration.rows} held-out digits ${calibration.lost} were, at ${calibration.speedup.toFixed(2)} × the speed`,
  )
  const path = resolve('exit-early.html')
  writeFileSync(path, page(found))
  console.log(`written: ${path}`)
} catch (error) {
  if (!stop.signal.aborted) throw error
  console.error('\nstopped')
  process.exitCode = 130
}

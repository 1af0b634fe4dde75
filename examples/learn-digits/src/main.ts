import type { LearningResult } from '@bio/continual'
import { readDigits } from './digits.js'
import { learnDigits, ways } from './learn.js'

const folder = process.argv[2]
if (folder === undefined) {
  console.error(
    'usage: start -- FOLDER   (the one that holds optdigits.tra and optdigits.tes, from the UCI repository)',
  )
  process.exit(1)
}
const digits = readDigits(folder)
const seeds = [0, 1, 2, 3, 4]
for (const [name, strategies] of Object.entries(ways)) {
  const results: LearningResult[] = []
  for (const seed of seeds) results.push(await learnDigits(digits, strategies(seed), { seed }))
  const mean = (value: (result: LearningResult) => number): string =>
    (results.reduce((sum, result) => sum + value(result), 0) / results.length).toFixed(3)
  console.log(`\n${name}: seed 0, then the mean of ${seeds.length} seeds`)
  console.log(String(results[0]))
  console.log(
    `accuracy ${mean((r) => r.averageAccuracy)}, forgetting ${mean((r) => r.forgetting)}, ` +
      `${mean((r) => r.learningCost.seconds)} s for ${mean((r) => r.learningCost.samples / 1000)} thousand items`,
  )
}

/** What one head said of one row. */
export interface ExitAnswer {
  /** softmax(logits), [classes]. */
  readonly probabilities: Float32Array
  /** The likeliest class; the lowest of equals. */
  readonly prediction: number
  /** Heads in a row, this one included, that predicted this class. */
  readonly agreement: number
}

/** When a row may leave: once its confidence reaches the threshold. */
export interface ExitPolicy {
  readonly name: string
  /** The higher, the surer. NaN never leaves. */
  confidence(answer: ExitAnswer): number
  /** Thresholds that calibration tries, from the most careful down; fixed before any data is seen, as its promise demands. */
  readonly candidates: readonly number[]
}

/** 1 − 10⁻⁶ … 1/2, evenly in log-odds: as fine near certainty as it is near doubt. */
const certainties: readonly number[] = Array.from({ length: 100 }, (_, i) => {
  const odds = 10 ** (6 * (1 - i / 99))
  return odds / (1 + odds)
})

/** The same and on down to 0, for what may lie below 1/2. */
const shares: readonly number[] = [...certainties, ...Array.from({ length: 10 }, (_, i) => (9 - i) / 20)]

/** The probability of the likeliest class (BranchyNet's successors; the usual choice). */
export const maximumProbability: ExitPolicy = {
  name: 'maximum probability',
  confidence: ({ probabilities, prediction }) => probabilities[prediction] ?? Number.NaN,
  candidates: certainties,
}

/** 1 − H(p)/ln classes: 1 when certain, 0 when uniform. Teerapittayanon et al. 2016 (BranchyNet) exit on low H. */
export const entropy: ExitPolicy = {
  name: 'entropy',
  confidence: ({ probabilities }) => {
    let nats = 0
    for (const p of probabilities) if (p !== 0) nats -= p * Math.log(p)
    return probabilities.length === 1 ? 1 : 1 - nats / Math.log(probabilities.length)
  },
  candidates: shares,
}

/** The probability of the likeliest class less that of the next. */
export const margin: ExitPolicy = {
  name: 'margin',
  confidence: ({ probabilities, prediction }) => {
    let next = 0
    for (let i = 0; i < probabilities.length; i++)
      if (i !== prediction) next = Math.max(next, probabilities[i]!)
    return (probabilities[prediction] ?? Number.NaN) - next
  },
  candidates: shares,
}

/** Heads in a row that agree: Zhou et al. 2020 (PABEE). */
export const patience: ExitPolicy = {
  name: 'patience',
  confidence: ({ agreement }) => agreement,
  candidates: Array.from({ length: 64 }, (_, i) => 64 - i),
}

import { BioError } from '@bio/errors'

/** Which row goes where: the choices of all tokens, sorted by expert. */
export interface Dispatch {
  /** [experts] choices that fell on each expert. */
  readonly counts: Int32Array
  /** [experts + 1] where the slots of each expert begin. */
  readonly offsets: Int32Array
  /** [slots] the choice (token·topK + rank) that each slot holds. */
  readonly choices: Int32Array
  /** [slots] the token that each slot holds. */
  readonly tokens: Int32Array
}

/**
 * Counting sort of the choices by expert. It is stable: the slots of one expert are in the order of tokens, so the result depends on the
 * input alone. Nothing is dropped: an expert takes as many tokens as chose it. Errors: ERR_BIO_INDEX.
 *
 * @param selected [tokens, topK] expert of each choice, each in 0…experts − 1
 */
export function sortByExpert(
  selected: Int32Array,
  { experts, topK }: { experts: number; topK: number },
): Dispatch {
  const counts = new Int32Array(experts)
  for (const expert of selected) {
    if (!(expert >= 0 && expert < experts)) {
      throw new BioError('ERR_BIO_INDEX', {
        operation: 'MoE.forward',
        expected: `the router to select experts from 0 to ${experts - 1}`,
        received: String(expert),
      })
    }
    counts[expert]!++
  }

  const offsets = new Int32Array(experts + 1)
  for (let expert = 0; expert < experts; expert++) offsets[expert + 1] = offsets[expert]! + counts[expert]!

  const choices = new Int32Array(selected.length)
  const tokens = new Int32Array(selected.length)
  const next = offsets.slice(0, experts)
  for (let choice = 0; choice < selected.length; choice++) {
    const slot = next[selected[choice]!]!++
    choices[slot] = choice
    tokens[slot] = Math.floor(choice / topK)
  }
  return { counts, offsets, choices, tokens }
}

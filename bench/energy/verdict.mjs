/** A figure without bounds is right within this share of the truth: a meter takes its time to begin and to end. */
const tolerance = 0.1

/**
 * What an answer is worth. `answer` is `{ joules, low?, high?, method?, warned? }`, `{ unavailable }` with a reason, or `{ raised }` with an
 * exception; the truth lies in [least, most] joules,
 * without and with the time that the meter took to begin and to end; an error is told from the nearer of both.
 *
 * `right`: within its own bounds where it has some, else within 10 %. `bounded`: within bounds that are no measurement and say so.
 * `silent zero`, `wrong`, `estimate` (a model's figure, and a warning), `unavailable`, `raised`.
 */
export function judge(answer, { least, most }) {
  if (answer.raised !== undefined) return { verdict: 'raised', detail: answer.raised }
  if (answer.unavailable !== undefined) return { verdict: 'unavailable', detail: answer.unavailable }
  const { joules, low, high, method } = answer
  const nearest = Math.min(Math.max(joules, least), most)
  const error = nearest > 0 ? joules / nearest - 1 : 0
  const off = distance(error)
  if (method === 'model')
    return { verdict: 'estimate', detail: `${off}, by a model${answer.warned ? ', with a warning' : ''}` }
  if (low !== undefined) {
    if (low > most || high < least) return { verdict: 'wrong', detail: off }
    const wide = Math.abs(error) > tolerance || method === 'estimated'
    return {
      verdict: wide ? 'bounded' : 'right',
      detail: `${off}, bounds ${low.toFixed(0)} to ${high.toFixed(0)} J`,
    }
  }
  if (joules === 0) return { verdict: 'silent zero', detail: off }
  return { verdict: Math.abs(error) <= tolerance ? 'right' : 'wrong', detail: off }
}

/** `+3.1 %`, `−50 %`, or beyond ten times the truth a factor. */
function distance(error) {
  const factor = 1 + error
  if (Math.abs(factor) >= 1e5) return `${factor.toExponential(0)} times`
  if (Math.abs(factor) >= 10) return `${factor.toFixed(0)} times`
  const percent = Math.abs(100 * error)
  return `${error < 0 ? '−' : '+'}${percent.toFixed(percent < 9.5 ? 1 : 0)} %`
}

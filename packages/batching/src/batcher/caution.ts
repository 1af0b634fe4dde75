/** What is left of the caution after each run: half of it after 700. */
const memory = 0.999

/** Runs of caution for each run's worth of broken promises. */
const lesson = 0.3

/** A request refused in vain counts as so many broken promises: it was not answered either, though there was room. */
const inVain = 2

/** What a long outage may teach: as many runs later than foreseen is soon forgotten again. */
const most = 3

/**
 * Learns how much earlier than its deadline a promise must be foreseen to be kept, since no model of single runs foresees stalls of the
 * machine.
 *
 * In runs: c ← min(3, 0.999·c + 0.3·(promises broken since the last run) / (requests in the run)). While more is asked for than can be
 * done, it settles where c/3 % of the promises break, whatever the distribution of the stalls: the feedback of adaptive conformal
 * inference (Gibbs and Candès 2021), with a memory, so that a bad hour is forgotten even if nothing more is promised.
 *
 * Whom it refuses then costs no answers, others take their place. After a burst nobody does: each request refused for caution alone that a
 * later run had room and time for takes off what two broken promises add.
 */
export class Caution {
  #runs = 0
  #broken = 0
  /** Requests refused for caution alone whose place nobody is known to have taken or missed. */
  #refused = 0
  /** When a run would have had to start to answer the last of them in time. */
  #startBy = -Infinity

  /** Runs by which a forecast must be earlier than the deadline. */
  get runs(): number {
    return this.#runs
  }

  /** An accepted request ran out of time. */
  broke(): void {
    this.#broken += 1
  }

  /** A request was refused for caution alone: a run that starts by then would have answered it in time. */
  refused(startBy: number): void {
    this.#refused += 1
    this.#startBy = startBy
  }

  /** A run of so many requests ended. */
  ran(requests: number): void {
    this.#runs = Math.min(most, memory * this.#runs + (lesson * this.#broken) / requests)
    this.#broken = 0
  }

  /** A run of so many requests left room for `places` more, now. */
  spared(places: number, requests: number, now: number): void {
    if (this.#refused === 0 || places === 0) return
    if (now > this.#startBy) this.#refused = 0
    const missed = Math.min(this.#refused, places, requests)
    this.#runs = Math.max(0, this.#runs - (inVain * lesson * missed) / requests)
    this.#refused -= missed
  }
}

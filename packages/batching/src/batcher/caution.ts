/** What is left of the caution after each run: half of it after 700. */
const memory = 0.999

/** Runs of caution for each run's worth of broken promises. */
const lesson = 0.3

/** What a long outage may teach: as many runs later than foreseen is soon forgotten again. */
const most = 3

/**
 * Learns how much earlier than its deadline a promise must be foreseen to be kept, since no model of single runs foresees stalls of the
 * machine.
 *
 * In runs: c ← min(3, 0.999·c + 0.3·(promises broken since the last run) / (requests in the run)). It settles where c/3 % of the promises
 * break, whatever the distribution of the stalls: the feedback of adaptive conformal inference (Gibbs and Candès 2021), with a memory, so
 * that a bad hour is forgotten even if nothing more is promised.
 */
export class Caution {
  #runs = 0
  #broken = 0

  /** Runs by which a forecast must be earlier than the deadline. */
  get runs(): number {
    return this.#runs
  }

  /** An accepted request ran out of time. */
  broke(): void {
    this.#broken += 1
  }

  /** A run of so many requests ended. */
  ran(requests: number): void {
    this.#runs = Math.min(most, memory * this.#runs + (lesson * this.#broken) / requests)
    this.#broken = 0
  }
}

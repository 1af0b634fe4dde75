/** An exponential moving average: each new value weighs a fifth. Undefined before the first. */
export class MovingAverage {
  value: number | undefined = undefined

  add(next: number): void {
    this.value = this.value === undefined ? next : 0.8 * this.value + 0.2 * next
  }
}

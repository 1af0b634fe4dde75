import { createReading, unavailableReading } from '../../reading/reading.js'
import type { EnergySource } from '../../source.js'

/** A source that draws a steady power by a clock that tests move, and counts its samples. */
export class SteadySource implements EnergySource {
  readonly name: string
  readonly component: string
  readonly method = 'measured'
  readonly watts: number
  time = 0
  sampled = 0
  /** Why reads fail, while they do. */
  fail: string | undefined

  constructor(name: string, component: string, watts: number) {
    this.name = name
    this.component = component
    this.watts = watts
  }

  open(): ReturnType<EnergySource['open']> {
    const { name: source, component: domain } = this
    return {
      usable: true,
      reasons: [],
      account: {
        sample: () => {
          this.sampled++
        },
        startSpan: () => {
          const start = this.time
          return {
            read: () => {
              const seconds = this.time - start
              if (this.fail !== undefined) return unavailableReading({ source, seconds, reasons: [this.fail] })
              return createReading({ joules: this.watts * seconds, method: 'measured', source, domains: [domain], seconds })
            },
          }
        },
      },
    }
  }
}

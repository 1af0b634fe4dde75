import fc from 'fast-check'
import { expect, test } from 'vitest'
import { LinkedQueue, type Linked } from './linked-queue.js'

interface Numbered extends Linked<Numbered> {
  readonly number: number
}

const numbered = (number: number): Numbered => ({ number, previous: undefined, next: undefined })

test('it keeps the order of arrival, whoever leaves', () => {
  fc.assert(
    fc.property(fc.array(fc.nat()), (events) => {
      const queue = new LinkedQueue<Numbered>()
      let model: Numbered[] = []
      for (const [number, event] of events.entries()) {
        const leaves = event % 2 === 0 ? undefined : model[event % model.length]
        if (leaves === undefined) {
          const entry = numbered(number)
          queue.add(entry)
          model.push(entry)
        } else {
          queue.remove(leaves)
          model = model.filter((entry) => entry !== leaves)
        }
        expect([...queue]).toEqual(model)
        expect(queue.first).toBe(model[0])
      }
    }),
  )
})

test('who is given by its iterator may leave meanwhile', () => {
  const queue = new LinkedQueue<Numbered>()
  for (let number = 0; number < 3; number++) queue.add(numbered(number))
  const seen: number[] = []
  for (const entry of queue) {
    queue.remove(entry)
    seen.push(entry.number)
  }
  expect(seen).toEqual([0, 1, 2])
  expect(queue.first).toBeUndefined()
})

import { batched, oneByOne, type Outcome } from './compare.js'

const texts = (tenant: string, count: number): string[] =>
  Array.from({ length: count }, (_, index) => `${tenant} ${index}`)
const load = { bulk: texts('bulk', 300), chat: texts('chat', 20) }

print('one by one:', await oneByOne(load))
print('batched:', await batched(load))

function print(name: string, { vectors, answered, refused, seconds, doneAtCall }: Outcome): void {
  console.log(
    `${name.padEnd(12)}${vectors} vectors in ${answered} calls (and ${refused} refused), ${seconds.toFixed(1)} s; ` +
      `chat had its 20 at call ${doneAtCall['chat']}`,
  )
}

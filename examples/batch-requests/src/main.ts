import { compare } from './compare.js'

const texts = Array.from({ length: 400 }, (_, index) => (index === 200 ? '' : `text ${index}`))
const { oneByOne, batched } = await compare(texts)
console.log(`one by one: ${oneByOne.answers} answers in about ${oneByOne.seconds.toFixed(1)} s`)
console.log(
  `batched:    ${batched.answers} answers and ${batched.refusals} refusal in about ${batched.seconds.toFixed(1)} s, in ${batched.batches} batches`,
)

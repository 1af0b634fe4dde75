// Loads a GGUF file in a process of its own and prints what memory that took, in bytes: { before, peak, packed }.
import { getKernels } from '@bio/kernels'
import { loadGguf } from '@bio/models'

getKernels()
const before = process.memoryUsage.rss()
const { weightBytes: packed } = await loadGguf(process.argv[2])
console.log(JSON.stringify({ before, peak: process.resourceUsage().maxRSS * 1024, packed }))

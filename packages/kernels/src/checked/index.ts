import type { Backend } from '../backend.js'
import type { Kernels } from '../interface.js'
import { checkedAttention } from './attention.js'
import { checkedBlocks } from './blocks.js'
import { checkedElementwise } from './elementwise.js'
import { checkedMatrix } from './matrix.js'
import { checkedQuantize } from './quantize.js'
import { checkedRows } from './rows.js'
import { checkedSparse } from './sparse.js'

/** A backend behind the checks that both backends share: nothing is written before every argument is known to be good. */
export function checked(backend: Backend): Kernels {
  return {
    backend: backend.backend,
    isa: backend.isa,
    ...checkedMatrix(backend),
    ...checkedBlocks(backend),
    ...checkedSparse(backend),
    ...checkedRows(backend),
    ...checkedElementwise(backend),
    ...checkedAttention(backend),
    ...checkedQuantize(backend),
    // Last: after an accessor V8 would keep what follows in a table, where each call looks its kernel up.
    get threads() {
      return backend.threads
    },
  }
}

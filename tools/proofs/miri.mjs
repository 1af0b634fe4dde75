// Miri interprets the kernels: undefined behaviour, data races, and pointers that reach where they may not. On the scalar tier, and on AVX2,
// whose instructions it knows; inline assembly, the system's memory advice and the Node-API face it cannot run.
import { join } from 'node:path'
import { targets } from './fuzz.mjs'
import { folder, prove } from './record.mjs'

const tiers = { scalar: '', avx2: '-C target-feature=+avx2,+fma' }

export function miri() {
  for (const [tier, features] of Object.entries(tiers)) {
    const env = {
      RUSTFLAGS: features,
      // The pool's workers are parked at exit, never joined.
      MIRIFLAGS: '-Zmiri-ignore-leaks',
    }
    const here = ['--target-dir', join(folder, 'miri')]
    prove(`miri ${tier}: tests`, 'cargo', ['+nightly', 'miri', 'test', '-p', 'bio-kernels', ...here], { env })
    for (const target of targets()) {
      const cases = ['+nightly', 'miri', 'run', '--manifest-path', 'crates/bio-kernels/fuzz/Cargo.toml']
      prove(`miri ${tier}: cases of ${target}`, 'cargo', [...cases, '--bin', target, ...here], { env })
    }
  }
}

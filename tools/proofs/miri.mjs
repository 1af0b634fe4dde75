// Miri interprets the kernels and finds undefined behaviour, data races, and pointers that reach where they may not. It knows the instructions
// of the tiers below, also where this machine lacks them; inline assembly, the system's memory advice and Node-API it cannot run.
import { join } from 'node:path'
import { targets } from './fuzz.mjs'
import { folder, prove } from './record.mjs'

const features = ['avx2', 'fma', 'avx512f', 'avx512bw', 'avx512dq', 'avx512vl', 'avx512vnni']

export function miri() {
  const env = {
    // Scalar, AVX2 and AVX-512 with VNNI: the tests run on every tier that they find, the cases of the targets each on one.
    RUSTFLAGS: `-C target-feature=${features.map((feature) => `+${feature}`).join(',')}`,
    // The pool's workers are parked at exit, never joined.
    MIRIFLAGS: '-Zmiri-ignore-leaks',
  }
  const here = ['--target-dir', join(folder, 'miri')]
  // Unit tests, and every kernel once: the property tests would take hours.
  const tests = ['+nightly', 'miri', 'test', '-p', 'bio-kernels', '--lib', '--test', 'tiers', ...here]
  prove('miri: unit tests and small shapes on every tier', 'cargo', tests, { env })
  const cases = ['+nightly', 'miri', 'run', '--manifest-path', 'crates/bio-kernels/fuzz/Cargo.toml', ...here]
  // Pages of bf16 and int8 take vpermw and vpdpwssd on AVX-512, which Miri lacks.
  for (const target of targets().filter((name) => name !== 'attention'))
    prove(`miri: cases of the target ${target}`, 'cargo', [...cases, '--bin', target], { env })
}

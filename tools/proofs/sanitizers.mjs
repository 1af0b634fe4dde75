// AddressSanitizer on all Rust tests and on the tests of @bio/kernels with a sanitized addon in Node; ThreadSanitizer on the tests of the
// kernels, whose pool it is for.
import { copyFileSync, mkdirSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { root, setup } from '../setup.mjs'
import { run } from '../shell.mjs'
import { folder, prove, triple } from './record.mjs'

export function asan() {
  const here = ['--target', triple, '--target-dir', join(folder, 'asan')]
  // Memory that no machine has is refused, as by the usual allocator.
  const env = { RUSTFLAGS: '-Zsanitizer=address', ASAN_OPTIONS: 'allocator_may_return_null=1' }
  prove('asan: Rust tests', 'cargo', ['+nightly', 'test', '--workspace', ...here], { env })
  const build = ['+nightly', 'build', '--profile', 'dev-fast', '-p', 'bio-node', ...here]
  if (prove('asan: build of the addon', 'cargo', build, { env })) node()
}

/** The tests of @bio/kernels in a Node that runs on the sanitizer's allocator, so that typed arrays have guards on both sides. */
function node() {
  setup()
  const logs = join(folder, 'asan', 'logs')
  rmSync(logs, { recursive: true, force: true })
  mkdirSync(logs)
  const env = {
    LD_PRELOAD: runtime(),
    // What V8 keeps until the end is no leak of ours.
    ASAN_OPTIONS: `detect_leaks=0:log_path=${join(logs, 'node')}`,
    NODE_OPTIONS: `--require ${join(root, 'tools', 'proofs', 'sanitized-addon.cjs')}`,
    BIO_SANITIZED_ADDON: join(folder, 'asan', triple, 'dev-fast', 'libbio_node.so'),
  }
  // Without it the tests of the native kernels would be skipped.
  const load = `require(${JSON.stringify(join(root, 'packages', 'kernels', 'native', 'bio-node.linux-x64-gnu.node'))}).version()`
  if (!prove('asan: the addon in Node', 'node', ['-e', load], { env })) return
  prove('asan: tests of @bio/kernels', 'vitest', ['run', 'packages/kernels'], { env })
  for (const file of readdirSync(logs)) console.error(readFileSync(join(logs, file), 'utf8'))
}

/** The sanitizer's run-time as a shared library, from the archive that rustc links into programs; less the part that only programs may have. */
function runtime() {
  const [archive, library] = [join(folder, 'asan', 'runtime.a'), join(folder, 'asan', 'runtime.so')]
  const sysroot = run('rustc', ['+nightly', '--print', 'sysroot'], { quiet: true }).output.trim()
  copyFileSync(join(sysroot, 'lib', 'rustlib', triple, 'lib', 'librustc-nightly_rt.asan.a'), archive)
  run('ar', ['d', archive, 'asan_preinit.cpp.o'])
  const whole = ['-Wl,--whole-archive', archive, '-Wl,--no-whole-archive']
  run('cc', ['-shared', '-o', library, ...whole, '-lpthread', '-ldl', '-lrt', '-lm'])
  return library
}

export function tsan() {
  // Documentation's tests would be built without the sanitizer.
  const args = ['+nightly', 'test', '--tests', '-Zbuild-std', '-p', 'bio-kernels']
  const env = {
    RUSTFLAGS: '-Zsanitizer=thread',
    TSAN_OPTIONS: 'allocator_may_return_null=1',
    // How threads meet does not change with the case: the 24 of paged attention alone would take many minutes.
    PROPTEST_CASES: '4',
  }
  const here = ['--target', triple, '--target-dir', join(folder, 'tsan')]
  prove('tsan: tests of bio-kernels', 'cargo', [...args, ...here], { env })
}

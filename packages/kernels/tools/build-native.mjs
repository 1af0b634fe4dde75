// Builds the native kernels with cargo and puts the binary where the package looks for it. `--release` optimises once more.
import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const packageFolder = dirname(dirname(fileURLToPath(import.meta.url)))
const root = dirname(dirname(packageFolder))
const profile = process.argv.includes('--release') ? 'release' : 'dev-fast'

const cargo = spawnSync('cargo', ['build', '--quiet', '--profile', profile, '-p', 'bio-node'], {
  cwd: root,
  stdio: 'inherit',
})
if (cargo.error) {
  console.error(
    'build-native: cargo is missing; install Rust 1.89 or newer (rustup), or use the TypeScript kernels.',
  )
  process.exit(1)
}
if (cargo.status !== 0) process.exit(cargo.status ?? 1)

const { platform, arch } = process
const musl =
  platform === 'linux' && existsSync('/usr/bin/ldd') && readFileSync('/usr/bin/ldd', 'utf8').includes('musl')
const name = platform === 'linux' ? `${platform}-${arch}-${musl ? 'musl' : 'gnu'}` : `${platform}-${arch}`
const library = { win32: 'bio_node.dll', darwin: 'libbio_node.dylib' }[platform] ?? 'libbio_node.so'
const target = join(packageFolder, 'native', `bio-node.${name}.node`)
mkdirSync(dirname(target), { recursive: true })
// A process may have the old file mapped: put the new one beside it, then swap.
copyFileSync(join(process.env.CARGO_TARGET_DIR ?? join(root, 'target'), profile, library), `${target}.new`)
renameSync(`${target}.new`, target)
console.log(`build-native: ${profile} kernels for ${name}`)

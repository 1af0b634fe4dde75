// `npm run proofs [-- --only NAME,…] [--minutes N]`: what ordinary tests cannot show, one proof after the other, with the time that each
// really ran. Exits with 1 on a finding and where a tool is missing. `--minutes`: processor time of each fuzz target.
import { parseArgs } from 'node:util'
import { asan, tsan } from './proofs/sanitizers.mjs'
import { fuzz } from './proofs/fuzz.mjs'
import { miri } from './proofs/miri.mjs'
import { findings, missing, report } from './proofs/record.mjs'
import { parsers, sameBits } from './proofs/properties.mjs'
import { run, say, stop } from './shell.mjs'

/** Each with what it needs: a command that fails where it is missing, and the one that installs it. */
const nightly = ['rustup', ['run', 'nightly', 'rustc', '--version'], 'rustup toolchain install nightly']
const proofs = {
  'same-bits': { prove: sameBits, needs: [] },
  parsers: { prove: parsers, needs: [] },
  miri: {
    prove: miri,
    needs: [
      nightly,
      ['cargo', ['+nightly', 'miri', '--version'], 'rustup +nightly component add miri rust-src'],
    ],
  },
  asan: { prove: asan, needs: [nightly] },
  tsan: {
    prove: tsan,
    needs: [
      nightly,
      [
        'sh',
        ['-c', 'test -d "$(rustc +nightly --print sysroot)/lib/rustlib/src"'],
        'rustup +nightly component add rust-src',
      ],
    ],
  },
  fuzz: {
    prove: fuzz,
    needs: [nightly, ['cargo', ['+nightly', 'fuzz', '--version'], 'cargo install cargo-fuzz']],
  },
}

const { values } = parseArgs({
  options: { only: { type: 'string' }, minutes: { type: 'string', default: '10' } },
})
const minutes = Number(values.minutes)
if (!(minutes > 0)) stop(`--minutes is a number above 0, not ${values.minutes}`)
const names = values.only?.split(',') ?? Object.keys(proofs)
const unknown = names.find((name) => !Object.hasOwn(proofs, name))
if (unknown !== undefined) stop(`no proof is called ${unknown}: there is ${Object.keys(proofs).join(', ')}`)
if (process.platform !== 'linux' || process.arch !== 'x64') stop('the proofs run on x86-64 Linux')

for (const name of names) {
  const lacking = proofs[name].needs.find(
    ([program, args]) => run(program, args, { quiet: true }).status !== 0,
  )
  if (lacking === undefined) await proofs[name].prove({ minutes })
  else missing(name, lacking[2])
}
say(`of commit ${run('git', ['describe', '--always', '--dirty'], { quiet: true }).output.trim()}`)
report()
process.exit(findings() === 0 ? 0 : 1)

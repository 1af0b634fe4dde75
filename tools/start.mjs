// `npm start`: set up, then run the tour. Arguments go to it: `npm start -- --quick`.
import { join } from 'node:path'
import { root, setup } from './setup.mjs'
import { run } from './shell.mjs'

setup()
process.exit(run('node', [join(root, 'packages/cli/dist/main.js'), 'tour', ...process.argv.slice(2)]).status)

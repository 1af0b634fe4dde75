import { defineConfig } from 'tsup'

export default defineConfig({
  // The entry of the workers is a file of its own: Node starts it by path.
  entry: { index: 'src/index.ts', 'worker-entry': 'src/workers/worker-entry.js' },
  format: ['esm'],
  target: 'node20',
  dts: { entry: { index: 'src/index.ts' }, compilerOptions: { customConditions: [] } },
  clean: true,
  treeshake: true,
})

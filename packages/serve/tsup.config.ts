import { defineConfig } from 'tsup'

export default defineConfig({
  // The worker is a file of its own: the engine starts it by path.
  entry: { index: 'src/index.ts', 'engine-worker': 'src/engine/worker.ts' },
  format: ['esm'],
  target: 'node20',
  dts: { compilerOptions: { customConditions: [] } },
  clean: true,
  treeshake: true,
})

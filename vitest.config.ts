import { defineConfig } from 'vitest/config'

const slow = process.env.BIO_SLOW === '1'

export default defineConfig({
  resolve: { conditions: ['@bio/source', 'node', 'import', 'default'] },
  ssr: { resolve: { conditions: ['@bio/source', 'node', 'import', 'default'] } },
  test: {
    include: slow
      ? // Property tests run again: with BIO_SLOW=1 some draw many more cases.
        ['packages/*/src/**/*.{slow,property}.test.ts', 'tools/**/*.slow.test.mjs']
      : [
          'packages/*/src/**/*.test.ts',
          'tools/**/*.test.mjs',
          'bench/**/*.test.mjs',
          'examples/*/src/**/*.test.ts',
        ],
    exclude: slow ? ['**/node_modules/**'] : ['**/node_modules/**', '**/*.slow.test.*'],
    testTimeout: slow ? 600_000 : 60_000,
    hookTimeout: 60_000,
    pool: 'forks',
    maxWorkers: 2,
  },
})

// Four projects: unit (nothing outside the process), integration (real tools, a temp directory), fuzz (a minute of it),
// e2e (the built command line, the container runtime, the test channel). Their files run side by side, as many as there are
// processors: e2e first, which take longest, unit last. And at night another: more cases of what these have some of, and what CI has no room for.
import { defineConfig } from 'vitest/config';
import { NoSkips } from './ci/no-skips.ts';
import { SlowestFiles } from './ci/slowest-files.ts';
import { isNightly } from './test/nightly.ts';

/** The files that ask test/nightly.ts how many cases they have, and those that only the night has time for. */
const nightly = {
  extends: true as const,
  test: {
    name: 'nightly',
    include: ['test/nightly/**/*.test.ts', 'test/integration/launcher/two-ways.test.ts'],
    testTimeout: 3_600_000,
    hookTimeout: 1_800_000,
  },
};

export default defineConfig({
  test: {
    restoreMocks: true,
    setupFiles: ['test/processor-time.ts', 'test/property-seed.ts'],
    // vitest leaves one processor free, which on two is half of them.
    maxWorkers: '100%',
    // A run of everything must run everything; a person who picks tests by name or project need not.
    reporters: process.env['CI'] ? ['default', new SlowestFiles(), new NoSkips()] : ['default'],
    projects: isNightly
      ? [nightly]
      : [
          { extends: true, test: { name: 'unit', include: ['test/unit/**/*.test.ts'], testTimeout: 60_000 } },
          {
            extends: true,
            test: {
              name: 'integration',
              include: ['test/integration/**/*.test.ts'],
              testTimeout: 120_000,
              hookTimeout: 600_000,
            },
          },
          {
            extends: true,
            test: { name: 'fuzz', include: ['test/fuzz/**/*.test.ts'], testTimeout: 120_000 },
          },
          {
            extends: true,
            test: {
              name: 'e2e',
              include: ['test/e2e/**/*.test.ts'],
              testTimeout: 180_000,
              hookTimeout: 1_800_000,
            },
          },
        ],
  },
});

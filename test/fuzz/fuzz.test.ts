// A minute of fuzzing in all. Once more, and the same: FUZZ_SEED=<seed> npx vitest run test/fuzz -t '<target>'.
// Longer: npm run fuzz -- --minutes 10.
import fc from 'fast-check';
import { afterAll, expect, it } from 'vitest';
import { fuzz } from './fuzz-target.ts';
import { mirrorTargets } from './mirror-targets.ts';
import { packageTargets } from './package-targets.ts';
import { pipTargets } from './pip-targets.ts';
import { textTargets } from './text-targets.ts';

const targets = [...mirrorTargets, ...packageTargets, ...pipTargets, ...textTargets];
const totalMs = 60_000;
const seed = fc.readConfigureGlobal().seed ?? 1;

it.each(targets)('$name is read or refused, whatever it is', async (target) => {
  const { failure } = await fuzz(target, seed, totalMs / targets.length);

  expect(failure, `FUZZ_SEED=${seed} npx vitest run test/fuzz -t '${target.name}'`).toBeUndefined();
});

afterAll(() => {
  process.stdout.write(`fuzzed with FUZZ_SEED=${seed}\n`);
});

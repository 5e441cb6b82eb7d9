// npm run fuzz -- --minutes 10 [--target name] [--seed n]: goes round all targets until the time is over.
import { parseArgs } from 'node:util';
import { fuzz } from './fuzz-target.ts';
import { mirrorTargets } from './mirror-targets.ts';
import { packageTargets } from './package-targets.ts';
import { pipTargets } from './pip-targets.ts';
import { textTargets } from './text-targets.ts';

const { values } = parseArgs({
  options: { minutes: { type: 'string', default: '10' }, target: { type: 'string' }, seed: { type: 'string' } },
});
const targets = [...mirrorTargets, ...packageTargets, ...pipTargets, ...textTargets].filter(
  ({ name }) => values.target === undefined || name === values.target,
);
const turnMs = 10_000;
const until = Date.now() + Number(values.minutes) * 60_000;
const say = (text: string): void => void process.stdout.write(`${text}\n`);

for (
  let seed = Number(values.seed ?? Date.now() % 2 ** 31);
  Date.now() < until && process.exitCode !== 1;
  seed += 1000
) {
  for (const target of targets) {
    const { inputs, failure } = await fuzz(target, seed, Math.min(turnMs, until - Date.now()));
    say(`${target.name}: ${inputs} inputs, seed ${seed}`);
    if (!failure) continue;
    say(`FUZZ_SEED=${seed}, input ${failure.index}: ${failure.input}`);
    say(failure.error instanceof Error ? (failure.error.stack ?? failure.error.message) : String(failure.error));
    process.exitCode = 1;
  }
}

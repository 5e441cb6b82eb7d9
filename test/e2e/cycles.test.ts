// Publishes and rollbacks under readers who never stop: `npm run bench:cycles` does a thousand of them.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeFailure, runCycles } from '../../ci/run-cycles.ts';
import { LiveSite } from './live-site.ts';

let live: LiveSite;
beforeAll(async () => {
  live = await LiveSite.make();
});
afterAll(async () => {
  await live.remove();
});

it('serves every reader the whole of one release, whichever is being published', async () => {
  const first = `a-1/${(await live.site.liveRelease('a-1')) ?? ''}`;
  await live.site.writeSpec('a', [live.channel], ['hello=2.0']);
  const built = JSON.parse((await live.site.condenseOk('--json', 'build', 'a')).split('\n').at(-1) ?? '') as {
    release: string;
  };
  const second = `a-1/${built.release}`;

  const outcome = await runCycles({
    configFile: live.site.configFile,
    releases: [
      [first, 'hello 1.0 from /opt/conda/a-1'],
      [second, 'hello 2.0 from /opt/conda/a-1'],
    ],
    ...{ cycles: 12, readers: 4, home: live.home },
  });

  expect(outcome.failures).toEqual([]);
  expect(outcome.reads).toBeGreaterThan(4);
  expect([first, second]).toContain([...outcome.seen][0]);
});

it('would notice a command, an alias or a generation of another release', () => {
  const releases = [['a-1/x', 'one'] as const, ['a-1/y', 'two'] as const];

  expect(describeFailure('a-1/x|one|two|y|y|y', releases)).toEqual([]);
  expect(describeFailure('a-1/x|two|one|x|x|x', releases)).toHaveLength(1);
  expect(describeFailure('a-1/x|one|No such file|x|x|x', releases)).toHaveLength(1);
  expect(describeFailure('a-1/x|one|one|x|y|x', releases)).toHaveLength(1);
  expect(describeFailure('FAILED load', releases)).toHaveLength(1);
});

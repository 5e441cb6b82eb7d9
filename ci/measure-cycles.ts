// `npm run bench:cycles`: publish and rollback, a thousand times, under eight readers (docs/performance.md).
//   node ci/measure-cycles.ts [--cycles <number>] [--readers <number>]
import { parseArgs } from 'node:util';
import { LiveSite } from '../test/e2e/live-site.ts';
import { runCycles } from './run-cycles.ts';

const { values } = parseArgs({
  options: { cycles: { type: 'string', default: '1000' }, readers: { type: 'string', default: '8' } },
});
const live = await LiveSite.make();
try {
  const first = `a-1/${(await live.site.liveRelease('a-1')) ?? ''}`;
  await live.site.writeSpec('a', [live.channel], ['hello=2.0']);
  await live.site.condenseOk('build', 'a');
  const answer = JSON.parse(await live.site.condenseOk('--json', 'list', '--releases')) as {
    releases: { release: string; live: boolean }[];
  };
  const second = `a-1/${answer.releases.find((row) => !row.live)?.release ?? ''}`;
  const outcome = await runCycles({
    configFile: live.site.configFile,
    releases: [
      [first, 'hello 1.0 from /opt/conda/a-1'],
      [second, 'hello 2.0 from /opt/conda/a-1'],
    ],
    ...{ cycles: Number(values.cycles), readers: Number(values.readers), home: live.home },
    report: (cycle) => {
      if (cycle % 50 === 0) process.stderr.write(`${cycle} cycles\n`);
    },
  });
  const { cycles, reads, failures, seconds } = outcome;
  process.stdout.write(
    `${cycles} cycles, ${values.readers} readers: ${reads} reads, ${failures.length} failures, ${seconds.toFixed(0)} s\n`,
  );
  for (const failure of failures.slice(0, 20)) process.stdout.write(`${failure}\n`);
  process.exitCode = failures.length === 0 ? 0 : 1;
} finally {
  await live.remove();
}

// `npm run bench:factory`: five environments as a job array on two slots of a real Slurm, against one after the other; and how
// many are built where one of them changed (docs/performance.md).
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { ensureTestChannel } from '../test/channel/make-channel.ts';
import { startSlurm } from '../test/e2e/daemons.ts';
import { TestSite } from '../test/e2e/test-site.ts';
import { renderTable } from './measure-build.ts';

const NAMES = ['a', 'b', 'c', 'd', 'e'];
const site = await TestSite.make();
const slurm = await startSlurm(path.join(site.dir, 'slurm'));
try {
  const channel = pathToFileURL((await ensureTestChannel()).dir).href;
  // A slot is a processor, as its job would have it: a build takes no more, whether alone or beside another.
  await site.writeConfig(
    NAMES.map((name) => `  ${name}: { version: '1' }\n`).join(''),
    `squashfs: { processors: 1 }\n`,
  );
  const write = async (name: string, build: number): Promise<void> => {
    await site.writeSpec(name, [channel], ['python', 'pip'], `variables:\n  BUILD: '${name}${build}'\n`);
  };
  for (const name of NAMES) await write(name, 0);
  for (const name of NAMES) await run('lock', name);
  await run('build', 'a'); // packages are in the cache, and the base is there

  const oneByOne = await run('build', '--rebuild', ...NAMES);
  const array = await run('build', '--rebuild', '--on', 'slurm', '--jobs', '2', ...NAMES);
  await write('c', 1);
  await run('lock', 'c');
  const changed = await run('--json', 'build', '--all', '--jobs', '2');
  const built = changed.stdout.split('\n').filter((line) => line.includes('"built":true')).length;
  const nothing = await run('build', '--all', '--jobs', '2');

  const seconds = ({ ms }: { readonly ms: number }): string => `${(ms / 1000).toFixed(1)} s`;
  process.stdout.write(
    `${renderTable(
      ['what', 'measured'],
      [
        ['five environments, one after the other', seconds(oneByOne)],
        [
          'as a job array of Slurm, two at a time',
          `${seconds(array)}, ${(array.ms / oneByOne.ms).toFixed(2)} of it (at most 0.60)`,
        ],
        ['one of five has changed', `${built} built, ${seconds(changed)}`],
        ['none has changed', seconds(nothing)],
      ],
    )}\n`,
  );
} finally {
  await slurm.stop();
  await site.remove();
}

async function run(...words: readonly string[]): Promise<{ readonly stdout: string; readonly ms: number }> {
  const started = performance.now();
  const { exitCode, stdout, stderr } = await site.start(words, { SLURM_CONF: slurm.conf });
  if (exitCode !== 0) throw new Error(`condense ${words.join(' ')} exited ${exitCode ?? '?'}:\n${stderr}\n${stdout}`);
  return { stdout, ms: performance.now() - started };
}

// Who is told of what was published: a program of the site's, which can fail, hang and misbehave.
import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { publishChange, type FaceOutcome } from '../../../src/release/change-face.ts';
import { MadeSite, type MadeRelease } from './made-site.ts';

let site: MadeSite;
afterEach(async () => {
  await site.remove();
});

async function makeSite(command: readonly string[], more = ''): Promise<MadeRelease> {
  site = await MadeSite.make(`notify: { command: ${JSON.stringify(command)}${more} }\n`);
  return await site.addRelease();
}

const publish = async (release: MadeRelease): Promise<FaceOutcome> =>
  await publishChange(
    { config: site.config, layout: site.layout, signal: new AbortController().signal },
    {
      action: 'publish',
      subject: release.name,
      plan: () =>
        Promise.resolve({ face: { versions: new Map([['a-1', release.id]]), aliases: new Map() }, warnings: [] }),
    },
    () => undefined,
  );

it('tells the program as JSON what users see already, its words as they are configured, and holds no lock', async () => {
  const script =
    'cat >told; printf "%s|" "$@" >words; ls -A admin/locks >locks; readlink site/apps/condense/current >live';
  const release = await makeSite(['/bin/bash', '-c', `cd "$1" && ${script}`, 'tell', 'DIR', '$(id) "x"', '--']);
  const config = {
    ...site.config.notify,
    command: site.config.notify.command.map((word) => (word === 'DIR' ? site.dir : word)),
  };
  Object.assign(site.config, { notify: config });

  const outcome = await publish(release);

  const read = (name: string): Promise<string> => readFile(path.join(site.dir, name), 'utf8');
  expect(outcome.followUp).toEqual([]);
  expect(JSON.parse(await read('told'))).toMatchObject({
    ...{ v: 1, type: 'published', site: 'test', prefix: site.config.prefix, action: 'publish', subject: release.name },
    ...{ generation: 1, changes: [{ kind: 'version', name: 'a-1', to: release.id }] },
    ...{ user: expect.any(String) as string, host: expect.any(String) as string },
  });
  expect(await read('words')).toBe(`${site.dir}|$(id) "x"|--|`);
  expect(await read('locks')).toBe('');
  expect(await read('live')).toBe('generations/1\n');
});

it('tells nobody where nothing has changed', async () => {
  const release = await makeSite(['/bin/false']);
  expect((await publish(release)).followUp).toHaveLength(1);

  expect(await publish(release)).toMatchObject({ changed: false, followUp: [] });
});

it.each([
  ['fails', ['/bin/bash', '-c', 'echo no such room >&2; exit 3'], 'no such room'],
  ['is missing', ['/no/such/program'], 'cannot start /no/such/program'],
  ['does not end, nor what it started', ['/bin/bash', '-c', 'sleep 300 & sleep 300'], 'did not finish in 1 s'],
  // Whichever is noticed first: that it failed, or that somebody still has its pipes.
  ['leaves what nobody can end', ['/bin/bash', '-c', 'setsid sleep 4 & exit 1'], 'setsid sleep 4'],
])('says so when the program %s, and what was published is live', async (_, command, said) => {
  const release = await makeSite(command, ', timeout_seconds: 1');

  const { changed, followUp } = await publish(release);

  expect(changed).toBe(true);
  expect(followUp).toMatchObject([{ code: 'NOTIFY_FAILED' }]);
  expect(followUp[0]?.message).toContain('generation 1 is live, but nobody was told');
  expect(followUp[0]?.message).toContain(said);
  await stat(path.join(site.config.prefix, 'apps/conda_scripts/a-1.d/launcher'));
});

it('needs no program that reads what it is told', async () => {
  expect((await publish(await makeSite(['/bin/true']))).followUp).toEqual([]);
});

// The pip section, from an index on loopback to what users run: the environment's own pip, in the real container.
import { rm } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeHome, runAsOrdinaryUser } from '../../ci/ordinary-user.ts';
import { ensureTestChannel } from '../channel/make-channel.ts';
import { backendFiles, makeSdist, makeWheel } from '../pip/distributions.ts';
import { PipIndex } from '../pip/pip-index.ts';
import { TestSite } from './test-site.ts';

let site: TestSite;
let home: string;
let channel: string;
let index: PipIndex;

const section = (...lines: readonly string[]): string =>
  `  - pip:\n${lines.map((line) => `    - '${line.replaceAll("'", "''")}'\n`).join('')}`;

beforeAll(async () => {
  site = await TestSite.make();
  home = await makeHome();
  channel = pathToFileURL((await ensureTestChannel()).dir).href;
  index = await PipIndex.start();
  index.add(
    await makeWheel({
      name: 'greet',
      version: '1.0',
      files: {
        'greet/__init__.py':
          'import packaging, helper\ndef main():\n    print("greet 1.0", helper.NAME, packaging.__version__)\n',
        'greet-1.0.data/data/share/greet/text': 'data\n',
        'greet-1.0.data/scripts/greet-script': '#!python\nimport sys, greet\nprint(sys.executable)\n',
      },
      entryPoints: '[console_scripts]\ngreet = greet:main\n[gui_scripts]\ngreet-gui = greet:main\n',
      metadata: [
        'Requires-Dist: packaging>=20',
        'Requires-Dist: helper',
        "Requires-Dist: extra-thing; extra == 'more'",
        'Provides-Extra: more',
      ],
    }),
    await makeWheel({ name: 'helper', version: '2.0', files: { 'helper.py': 'NAME = "helper 2.0"\n' } }),
    await makeWheel({ name: 'extra_thing', version: '3.0', files: { 'extra_thing.py': '' } }),
    await makeSdist('fromsource', '0.5', backendFiles('fromsource', '0.5')),
  );
  await site.writeConfig(`  p: { version: '1', stable: '1', gate: { imports: [greet, fromsource] } }\n`);
  await site.writeSpec(
    'p',
    [channel],
    ['python=3.11', 'packaging'],
    section(`--index-url ${index.url}`, 'greet[more] >=1', 'fromsource'),
  );
  await site.condenseOk('install', 'p');
});
afterAll(async () => {
  await index.stop();
  await site.remove();
  await rm(home, { recursive: true, force: true });
});

const asUser = async (...command: string[]): Promise<string> => {
  const ran = await runAsOrdinaryUser(home, command);
  return ran.exitCode === 0 ? ran.stdout : `exit ${ran.exitCode ?? '?'}: ${ran.stderr}`;
};

describe('a pip section', () => {
  it('gives users its commands, beside what conda installed', async () => {
    expect(await asUser(site.scripts('p', 'bin/greet'))).toBe('greet 1.0 helper 2.0 23.0');
  });
});

// The gate on a real environment: each fault stops the release by its name, and users see nothing of it.
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeCondaPackage } from '../channel/conda-package.ts';
import { ensureTestChannel } from '../channel/make-channel.ts';
import { writeRepodata } from '../channel/write-repodata.ts';
import type { GateReport } from '../../src/release/gate-report.ts';
import { TestSite, type Ran } from './test-site.ts';

let site: TestSite;
let channels: string[];
const GOOD = ['python', 'pytest', 'pip', 'goodmod'];

/** What each module does when it is imported. `readonly` works in the prefix while it is built, and not in the image. */
const MODULES: Readonly<Record<string, string>> = {
  goodmod: 'def main():\n  print("good")\n',
  readonly: `import os\nopen(os.path.join(os.path.dirname(__file__), 'cache'), 'w').close()\n`,
  crashes: 'import ctypes\nctypes.string_at(0)\n',
  hangs: 'import time\ntime.sleep(10_000)\n',
  expected: 'raise ImportError("waits for upstream")\n',
};

const ENTRY_POINTS = ['good = goodmod:main', 'gone = goodmod:nothing'];
const metadata = [
  ['METADATA', 'Metadata-Version: 2.1\nName: goodmod\nVersion: 1.0\n'],
  ['entry_points.txt', `[console_scripts]\n${ENTRY_POINTS.join('\n')}\n`],
].map(([file = '', data = '']) => ({
  type: 'file' as const,
  path: `site-packages/goodmod-1.0.dist-info/${file}`,
  data,
}));

beforeAll(async () => {
  site = await TestSite.make();
  const dir = path.join(site.dir, 'nasty');
  const records = [];
  for (const [name, text] of Object.entries(MODULES)) {
    records.push(
      await writeCondaPackage({
        ...{ dir, format: 'conda' as const },
        index: {
          name,
          version: '1.0',
          build: 'py_0',
          build_number: 0,
          subdir: 'noarch',
          depends: ['python'],
          noarch: 'python',
        },
        files: [
          { type: 'file', path: `site-packages/${name}.py`, data: text },
          ...(name === 'goodmod' ? metadata : []),
          ...(name === 'crashes'
            ? [
                {
                  type: 'file' as const,
                  path: 'bin/wrong-script',
                  mode: 0o755,
                  data: '#!/usr/bin/python3\nprint(1)\n',
                },
              ]
            : []),
        ],
        entryPoints: name === 'goodmod' ? ENTRY_POINTS : [],
      }),
    );
  }
  await writeRepodata(dir, records);
  channels = [pathToFileURL(dir).href, pathToFileURL((await ensureTestChannel()).dir).href];
});
afterAll(async () => {
  await site.remove();
});

const configure = (gate: string): Promise<void> =>
  site.writeConfig(`  g: { version: '1', stable: '1', gate: { ${gate} } }\n`);

async function writeTests(files: Readonly<Record<string, string>>): Promise<void> {
  const dir = path.join(site.dir, 'environments/g/tests');
  await mkdir(dir, { recursive: true });
  for (const [file, text] of Object.entries(files)) await writeFile(path.join(dir, file), text);
}
const readReport = async (ran: Ran): Promise<GateReport> => {
  const file = /\S+-gate\.xml/.exec(ran.stderr)?.[0] ?? '';
  return JSON.parse(await readFile(file.replace(/xml$/, 'json'), 'utf8')) as GateReport;
};
const releases = async (): Promise<string[]> =>
  (await readdir(path.join(site.prefix, 'apps/condense/releases/g-1'))).filter((name) => /^\d/.test(name));

/** What of the failed checks is let pass by hand. */
const WAIVED = [
  'entry point gone',
  'import crashes',
  'import readonly',
  'script wrong-script',
  'test test_sea.py::test_level',
];

/** A conftest that writes over the report when pytest has written it: success for what failed. */
const LIAR = `
import atexit, sys
report = [one[11:] for one in sys.argv if one.startswith('--junitxml=')][0]
atexit.register(lambda: open(report, 'w').write('<testsuite tests="1" failures="0"><testcase name="test_lie"><failure/></testcase></testsuite>'))
def test_lie():
    pass
`;

describe('the gate', () => {
  it('names every culprit of a release that fails, and nothing public changes', async () => {
    await configure(
      `timeout_seconds: 20, expected_failures: { import expected: { reason: upstream issue 7, until: '2020-01-31' } }`,
    );
    await site.writeSpec('g', channels, [...GOOD, 'readonly', 'crashes', 'hangs', 'expected']);
    await writeTests({
      'test_liar.py': LIAR,
      'test_sea.py': 'def test_level():\n  assert 1 + 1 == 3\ndef test_salt():\n  pass\n',
      'answers.sh': 'set -e\ngood\n[[ $CONDA_DEFAULT_ENV = g-1 ]]\n',
    });

    const ran = await site.condense('install', 'g');

    expect(ran.exitCode, ran.stderr).toBe(6);
    const { results, verdict } = await readReport(ran);
    const failures = new Map(results.flatMap(({ name, failure }) => (failure === undefined ? [] : [[name, failure]])));
    expect(verdict).toBe('failed');
    expect([...failures.keys()].sort()).toEqual([
      'entry point gone',
      'import crashes',
      'import expected',
      'import hangs',
      'import readonly',
      'script wrong-script',
      'test test_liar.py',
      'test test_sea.py::test_level',
    ]);
    for (const [name, why] of [
      ['entry point gone', 'goodmod: Traceback'],
      ['import crashes', 'was killed by SIGSEGV'],
      ['import expected', 'held until 2020-01-31 (upstream issue 7), and that is over'],
      ['import hangs', 'hangs: did not finish in 20 s'],
      ['import readonly', 'Read-only file system'],
      ['script wrong-script', 'bin/wrong-script begins with "#!/usr/bin/python3"'],
      ['test test_liar.py', 'the report contradicts itself'],
      ['test test_sea.py::test_level', 'assert (1 + 1) == 3'],
    ] as const) {
      expect(failures.get(name)).toContain(why);
      expect(ran.stderr).toContain(`g-1: ${name}: `);
    }
    const passed = results.filter(({ status }) => status === 'passed').map(({ name }) => name);
    expect(passed).toEqual(
      expect.arrayContaining([
        'import goodmod',
        'entry point good',
        'import pytest',
        'pip check',
        'metadata',
        'test answers.sh',
        'test test_sea.py::test_salt',
      ]),
    );
    const [kept = '', ...others] = await releases();
    expect(others).toEqual([]);
    expect(await site.condenseOk('list')).not.toContain('g-1');
    expect((await site.condense('doctor')).stdout).not.toContain('RELEASE_UNFINISHED');
    const shown = await site.condense('publish', `g-1/${kept}`);
    expect(shown.exitCode).toBe(7);
    expect(shown.stderr).toContain('code   NOT_GATED');
    expect(shown.stderr).toContain('hint   condense build g   (its gate runs again');
    expect(await readdir(path.join(site.prefix, 'apps'))).toEqual(['condense']);
  });

  it('refuses a waiver without a reason before it builds anything', async () => {
    const before = await releases();
    for (const args of [
      ['--waive', 'import readonly'],
      ['--waive', 'import readonly', '--reason', '  '],
      ['--reason', 'x'],
    ]) {
      const ran = await site.condense('build', 'g', ...args);

      expect(ran.exitCode).toBe(2);
      expect(ran.stderr).toContain('WAIVER_INVALID');
    }
    expect(await releases()).toEqual(before);
  });

  it('builds nothing again where only tests and exceptions changed, and what is waived has its reason in the manifest', async () => {
    const before = await releases();
    const until = (reason: string): string => `{ reason: ${reason}, until: '2099-01-31' }`;
    await configure(
      `expected_failures: { import expected: ${until('upstream issue 7')} }, skip: { hangs: ${until('needs a display')} }`,
    );
    await writeTests({ 'test_liar.py': 'def test_truth():\n  pass\n' });
    expect(await site.condenseOk('plan', 'g')).toContain(
      `${before[0] ?? ''} was built from the same and failed its gate`,
    );

    const ran = await site.condense(
      ...['--json', 'build', 'g', '--reason', 'only plots are affected'],
      ...[...WAIVED, 'import other'].flatMap((name) => ['--waive', name]),
    );

    expect(ran.exitCode, ran.stdout).toBe(0);
    expect(ran.stdout).toContain('failed its gate: nothing is built');
    expect(ran.stdout).not.toContain('"stage":"pack"');
    expect(ran.stdout).toContain('there is no check \\"import other\\" to waive');
    const { release } = JSON.parse(ran.stdout.split('\n').at(-1) ?? '') as { release: string };
    expect(await releases()).toEqual([release]);
    expect(before).not.toContain(release);
    const dir = path.join(site.prefix, 'apps/condense/releases/g-1', release);
    const manifest = JSON.parse(await readFile(path.join(dir, 'manifest.json'), 'utf8')) as {
      image: { sha256: string };
      gate: { checks: object[]; waived: object[] };
    };
    const waived = WAIVED.map((check) => ({
      ...{ check, reason: 'only plots are affected', by: expect.any(String) as string },
      failure: expect.any(String) as string,
    }));
    expect(manifest.gate.waived).toHaveLength(waived.length);
    expect(manifest.gate.waived).toEqual(expect.arrayContaining(waived));
    expect(manifest.gate.checks).toContainEqual(
      expect.objectContaining({ name: 'import expected', status: 'expected', reason: 'upstream issue 7' }),
    );
    expect(await readFile(path.join(dir, 'gate.xml'), 'utf8')).toContain(`value="${manifest.image.sha256}"`);
    expect(await site.condenseOk('build', 'g')).toContain('is up to date: nothing to build');

    await site.condenseOk('publish', `g-1/${release}`);
    expect(await site.condenseOk('verify', 'g')).toContain('is whole');
  });

  it('runs again on what is live, by what the configuration asks for now, and changes nothing', async () => {
    const before = await site.condenseOk('list');

    const ran = await site.condense('test', 'g');

    expect(ran.exitCode, ran.stderr).toBe(6);
    expect(ran.stdout).toContain('expected import expected (upstream issue 7, until 2099-01-31)');
    expect([...ran.stderr.matchAll(/g-1: ([^:\n]+(?:::\w+)?): /g)].map(([, name]) => name).sort()).toEqual(WAIVED);
    expect(await site.condenseOk('list')).toBe(before);
    expect(await releases()).toHaveLength(1);
  });
});

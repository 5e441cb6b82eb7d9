// Both ways of the launcher, the bash prelude and the planner, against each other and against a direct exec.
import fs from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildPlanner } from '../../../launcher/build.ts';
import type { InheritFacts } from '../../../launcher/facts.ts';
import { inheritEnvironment } from '../../../launcher/inherit.ts';
import { atNight } from '../../nightly.ts';
import {
  makeRelease,
  readProbe,
  start,
  writeLauncher,
  type Probed,
  type Start,
  type TestRelease,
} from './test-release.ts';

/** Half a minute on a machine of its own, many times that on a shared one or at night. */
const SLOW = 900_000;

const byte = fc.integer({ min: 1, max: 255 }).map((code) => String.fromCharCode(code));
const bytes = fc.array(byte, { maxLength: 12 }).map((list) => list.join(''));
const tricky = fc.constantFrom(
  '',
  ' ',
  '*',
  '$HOME',
  '`id`',
  "it's",
  '"',
  '\\',
  'a\nb\n',
  '-',
  '--',
  '--help',
  '*/',
  '~',
  'é',
  '\xff',
  '!x',
  '[a-z]*',
  '{a,b}',
  ';',
  '\r\n',
  '\x7f',
);
const text = fc.oneof(tricky, bytes, fc.stringMatching(/^[ -~]{0,20}$/));
const name = fc.oneof(
  fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_]{0,8}$/),
  fc.constantFrom(
    ...['LD_LIBRARY_PATH', 'LC_ALL', 'LANG', 'HOME', 'PS1', 'PS4', 'IFS', 'SHLVL', 'OLDPWD', 'PWD', 'OPTIND', 'TMPDIR'],
    ...[
      'RANDOM',
      'SECONDS',
      'LINENO',
      'HISTCMD',
      'EPOCHSECONDS',
      'BASH_ENV',
      'ENV',
      'CDPATH',
      'GLOBIGNORE',
      'POSIXLY_CORRECT',
    ],
    ...[
      'PROMPT_COMMAND',
      'APPTAINER_BIND',
      'SINGULARITYENV_PATH',
      'APPTAINERENV_X',
      'CONDA_PREFIX',
      'SHELL',
      'readonly',
    ],
    ...['FUNCNAME', 'GROUPS', 'DIRSTACK', 'BASH_VERSION', 'COLUMNS', 'TMOUT', 'EXECIGNORE', 'FUNCNEST', 'BASH_COMPAT'],
  ),
);
/** What bash itself takes from a program that it becomes is stated in docs/launcher.md, and left out here. */
const isCarried = ([key, value]: readonly [string, string]): boolean =>
  !['_', 'UID', 'EUID', 'PPID', 'BASH_VERSINFO', 'PATH', 'SHELLOPTS', 'BASHOPTS', 'BASH_XTRACEFD'].includes(key) &&
  !key.startsWith('__cl_') &&
  (key !== 'SHLVL' || /^(0|[1-9]\d{0,2})$/.test(value)) &&
  !(key === 'LC_ALL' || key === 'BASH_COMPAT' || key === 'LANG') &&
  key !== 'CONTAINER_OVERLAY_PATH';
const environment = fc
  .array(fc.tuple(name, text), { maxLength: 12 })
  .map((entries) => ({ SHLVL: '2', ...Object.fromEntries(entries.filter(isCarried)) }));

const odd = fc
  .record({}, { noNullPrototype: true })
  .chain(() =>
    fc.constantFrom<Record<string, string>>(
      {},
      { 'BASH_FUNC_module%%': '() {  eval `x "$@"`\n}' },
      { 'a.b': '1', '9': 'x' },
      { 'x[$(id)]': '1' },
    ),
  );
const inherit: InheritFacts = {
  drop: ['PYTHONHOME', 'LD_PRELOAD', 'CPATH'],
  lists: [
    { name: 'LD_LIBRARY_PATH', drop: ['/apps', '/opt/with space', "/it's"], keep: ['/apps/openmpi', '/apps/hdf5/1'] },
    { name: 'PYTHONPATH', drop: ['/apps/openmpi/x'], keep: [] },
    { name: 'CPATH', drop: ['/apps'], keep: [] },
  ],
  defaults: { PYTHONNOUSERSITE: '1' },
};
const directory = fc.constantFrom(
  ...['', '.', '/apps', '/apps/', '/apps/x/lib', '/appsx', '/opt/with space/lib', "/it's/*", '/usr/lib', 'é', '\xff'],
  ...['/apps/openmpi', '/apps/openmpi/lib', '/apps/openmpi/x/lib', '/apps/openmpix', '/apps/hdf5', '/apps/hdf5/1/lib'],
);
const ruled = fc
  .record(
    {
      PYTHONHOME: text,
      LD_LIBRARY_PATH: fc.array(directory, { minLength: 1, maxLength: 5 }).map((entries) => entries.join(':')),
      PYTHONPATH: fc.array(directory, { minLength: 1, maxLength: 3 }).map((entries) => entries.join(':')),
      CPATH: directory,
      PYTHONNOUSERSITE: fc.constantFrom('', 'x'),
      APPTAINER_CONTAINER: text,
      SINGULARITY_CONTAINER: text,
      APPTAINER_BIND: fc.constantFrom('', '/etc'),
      SINGULARITY_NAME: text,
      APPTAINERENV_NAME: text,
    },
    { requiredKeys: [], noNullPrototype: true },
  )
  .map((variables) => Object.fromEntries(Object.entries(variables)));
interface Case {
  readonly args: readonly string[];
  readonly environment: Record<string, string>;
  readonly path: readonly string[];
  readonly command: string;
  readonly before: string;
}
const cases = fc.record({
  args: fc.array(text, { maxLength: 6 }),
  environment: fc.tuple(environment, odd).map(([plain, strange]) => ({ ...plain, ...strange })),
  path: fc.array(
    fc.constantFrom('/usr/bin', '/bin', '', '.', 'FARM', 'RELEASE', 'OWN', '/usr/bin/', '/opt/with space'),
    { maxLength: 5 },
  ),
  command: fc.constantFrom('probe', 'python3'),
  before: fc.constantFrom(
    '',
    'umask 027',
    'ulimit -Sn 300',
    'trap "" HUP INT',
    'exec 5</etc/passwd 17</etc/group',
    'trap "" PIPE; ulimit -c 0',
    'exec 3>&2 10</dev/null 63</etc/passwd',
  ),
});

function asStart(release: TestRelease, one: Case, program: string): Start {
  const entries = { FARM: release.farm, RELEASE: `${release.release}/bin`, OWN: `${release.facts.condaPrefix}/bin` };
  const path = one.path.map((entry) => (entry in entries ? entries[entry as keyof typeof entries] : entry)).join(':');
  return {
    program,
    zero: program,
    args: [release.probe, ...one.args],
    environment: { ...one.environment, PATH: path },
    before: one.before,
  };
}

/** What a direct exec of the program would give, with the environment's own commands on PATH. */
function expected(release: TestRelease, one: Case): Omit<Probed, 'pid' | 'ppid'> {
  const linked = `${release.farm}/${one.command}`;
  const wanted = asStart(release, one, `${release.facts.condaPrefix}/bin/${one.command}`);
  const direct = comparable(readProbe(start(release, { ...wanted, program: `/usr/bin/perl`, zero: linked })));
  const before = (wanted.environment?.['PATH'] ?? '').split(':');
  const own = `${release.facts.condaPrefix}/bin`;
  const farm = before.findIndex((entry) => entry === release.farm || entry === `${release.release}/bin`);
  const after = before.includes(own) || farm < 0 ? before : before.toSpliced(farm, 0, own);
  return {
    ...direct,
    environ: [...direct.environ.filter((entry) => !entry.startsWith('PATH=')), `PATH=${after.join(':')}`].sort(),
  };
}

function comparable(probed: Probed): Omit<Probed, 'pid' | 'ppid'> {
  const { argv, environ, cwd, fds, limits, status } = probed;
  return { argv, environ, cwd, fds, limits, status };
}

describe('with a stand-in for the runtime', () => {
  let release: TestRelease;
  let planner: string;
  beforeAll(async () => {
    release = await makeRelease({ standIn: true });
    planner = await buildPlanner();
  });
  afterAll(() => {
    fs.rmSync(release.dir, { recursive: true });
  });

  const lastCall = (): string => fs.readFileSync(path.join(release.dir, 'last-call'), 'latin1');

  test(
    'prelude, planner and a direct exec give a program the same bytes, descriptors, limits and signals',
    () => {
      const samples = fc.sample(cases, { numRuns: atNight(3000, 400), seed: 20261121 });
      const run = (): { probed: object; call: string }[] =>
        samples.map((one) => {
          const outcome = start(release, asStart(release, one, `${release.farm}/${one.command}`));
          return { probed: { ...comparable(readProbe(outcome)), stderr: outcome.stderr }, call: lastCall() };
        });

      const byPrelude = run();
      writeLauncher(release.launcher, release.facts, planner, true);
      const byPlanner = run();
      writeLauncher(release.launcher, release.facts, planner);

      for (const [index, one] of samples.entries()) {
        expect(byPrelude[index]?.probed, JSON.stringify(one)).toEqual({ ...expected(release, one), stderr: '' });
        expect(byPlanner[index], JSON.stringify(one)).toEqual(byPrelude[index]);
      }
    },
    SLOW,
  );

  test(
    'inside the container, too',
    () => {
      fs.writeFileSync(release.facts.marker, '');
      const samples = fc.sample(cases, { numRuns: atNight(2000, 300), seed: 7 });
      const run = (): object[] =>
        samples.map((one) =>
          comparable(readProbe(start(release, asStart(release, one, `${release.farm}/${one.command}`)))),
        );

      const byPrelude = run();
      writeLauncher(release.launcher, release.facts, planner, true);
      const byPlanner = run();
      writeLauncher(release.launcher, release.facts, planner);
      fs.rmSync(release.facts.marker);

      for (const [index, one] of samples.entries()) {
        const direct = asStart(release, one, '/usr/bin/perl');
        const wanted = comparable(readProbe(start(release, { ...direct, zero: `${release.farm}/${one.command}` })));
        expect(byPrelude[index], JSON.stringify(one)).toEqual(wanted);
        expect(byPlanner[index], JSON.stringify(one)).toEqual(wanted);
      }
    },
    SLOW,
  );
});

/** A real runtime refuses a bind that is none, rightly and with its own message. */
const forRuntime = cases.filter((one) => !('APPTAINER_BIND' in one.environment));

describe('what does not come along by rule', () => {
  let release: TestRelease;
  let planner: string;
  beforeAll(async () => {
    release = await makeRelease({ standIn: true, besides: { inherit } });
    planner = await buildPlanner();
  });
  afterAll(() => {
    fs.rmSync(release.dir, { recursive: true });
  });

  test('is what the rules say, to prelude and planner alike, for the program and for the runtime', () => {
    const samples = fc
      .sample(fc.tuple(cases, ruled), { numRuns: atNight(500, 60), seed: 5 })
      .map(([one, variables]) => ({
        ...one,
        environment: { ...one.environment, ...variables },
      }));
    const call = (): string => fs.readFileSync(path.join(release.dir, 'last-environment'), 'latin1');
    const run = (): { probed: object; call: string }[] =>
      samples.map((one) => {
        const outcome = start(release, asStart(release, one, `${release.farm}/${one.command}`));
        return { probed: comparable(readProbe(outcome)), call: call() };
      });

    const byPrelude = run();
    writeLauncher(release.launcher, release.facts, planner, true);
    const byPlanner = run();
    writeLauncher(release.launcher, release.facts, planner);

    for (const [index, one] of samples.entries()) {
      const whole = expected(release, one);
      const wanted = { ...whole, environ: [...inheritEnvironment(whole.environ, inherit)].sort() };
      expect(byPrelude[index]?.probed, JSON.stringify(one)).toEqual(wanted);
      expect(byPlanner[index]?.probed, JSON.stringify(one)).toEqual(wanted);
      expect(byPrelude[index]?.call, JSON.stringify(one)).not.toMatch(
        /^(PYTHONHOME|LD_LIBRARY_PATH|APPTAINER_CONTAINER)=/m,
      );
    }
  });

  test('inside the container everything of the caller is as it was', () => {
    fs.writeFileSync(release.facts.marker, '');
    const environment = { SHLVL: '2', PATH: '/usr/bin', PYTHONHOME: '/x', LD_LIBRARY_PATH: '/apps', PYTHONPATH: '/y' };
    const { environ } = readProbe(
      start(release, { program: `${release.farm}/python3`, args: [release.probe], environment }),
    );
    fs.rmSync(release.facts.marker);
    expect(environ).toEqual(
      expect.arrayContaining(Object.entries(environment).map(([key, value]) => `${key}=${value}`)),
    );
    expect(environ.join()).not.toContain('PYTHONNOUSERSITE');
  });
});

describe.each([
  ['a container for each command', undefined],
  ['a session', { policy: 'join-or-start', idleSeconds: 1 } as const],
])('with the real runtime and %s', (_, sessions) => {
  let release: TestRelease;
  let planner: string;
  beforeAll(async () => {
    release = await makeRelease(sessions ? { sessions } : {});
    planner = await buildPlanner();
  });
  afterAll(() => {
    fs.rmSync(release.dir, { recursive: true });
  });

  test.each([
    ['an ordinary user', false, atNight(200, 25)],
    ['root, where the tests run as root', true, atNight(60, 8)],
  ])(
    'to %s a program in the container has the bytes, descriptors, limits and signals of a direct exec',
    (_, asRoot, few) => {
      // A joined command takes a tenth of the time; root joins none.
      const numRuns = sessions !== undefined && !asRoot ? 8 * few : few;
      for (const byPlanner of [false, true]) {
        writeLauncher(release.launcher, release.facts, planner, byPlanner);
        for (const one of fc.sample(forRuntime, { numRuns: byPlanner ? Math.ceil(numRuns / 3) : numRuns, seed: 3 })) {
          const outcome = start(release, { ...asStart(release, one, `${release.farm}/${one.command}`), asRoot });
          expect(comparable(readProbe(outcome)), JSON.stringify(one)).toEqual(expected(release, one));
        }
      }
    },
    SLOW,
  );
});

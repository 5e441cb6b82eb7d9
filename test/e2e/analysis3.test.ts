// The main job, on a real environment: what a scientist does with it, as an ordinary user.
import { createHash } from 'node:crypto';
import { chmod, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeHome, runAsOrdinaryUser } from '../../ci/ordinary-user.ts';
import { MODULE_SYSTEMS } from '../modules/module-shells.ts';
import { expectSameAsActivation } from './activation-reference.ts';
import { executeInKernel, executeNotebook, probeInterpreter } from './notebooks.ts';
import { startAsUser } from './start-as-user.ts';
import { ensureTestChannel } from '../channel/make-channel.ts';
import { TestSite } from './test-site.ts';

const PREFIX = '/opt/conda/analysis3-26.11';
let site: TestSite;
let home: string;
let channel: string;
let dependencies: string[];

beforeAll(async () => {
  site = await TestSite.make();
  home = await makeHome();
  const { dir } = await ensureTestChannel();
  await site.writeConfig(
    `  analysis3: { version: '26.11', stable: '26.11', gate: { imports: [xarray, netCDF4, matplotlib], skip: { pydev_app_engine_debug_startup: { reason: 'for App Engine only', until: '2099-12-31' } } }, outside_commands: [ssh] }\n`,
  );
  const shipped = await readFile(
    path.resolve(import.meta.dirname, '../../environments/analysis3/environment.yml'),
    'utf8',
  );
  dependencies = [...shipped.matchAll(/^ {2}- (?!conda-forge)(.*)$/gm)].map((match) => match[1] ?? '');
  channel = pathToFileURL(dir).href;
  await site.writeSpec('analysis3', [channel], dependencies, 'variables:\n  CLIMATE_DATA: "/data/with space/$HOME"\n');
  await site.condenseOk('install', 'analysis3');
}, 1_800_000);
afterAll(async () => {
  await site.remove();
  await rm(home, { recursive: true, force: true });
});

/** What an ordinary user gets; the error text where it fails, so that the test shows it. */
async function asUser(...command: string[]): Promise<string> {
  const ran = await runAsOrdinaryUser(home, command);
  return ran.exitCode === 0 ? ran.stdout : `exit ${ran.exitCode ?? ran.signal ?? '?'}\n${ran.stdout}\n${ran.stderr}`;
}
const jupyter = (): string => path.join(site.prefix, 'apps/conda_jupyter');
const python = (code: string): Promise<string> => asUser(site.scripts('analysis3', 'bin/python3'), '-c', code);
/** In a login shell with the module loaded. */
const loaded = (script: string): Promise<string> =>
  asUser(
    'bash',
    '-c',
    `. /etc/profile.d/modules.sh; module use ${site.modules}; module load conda/analysis3 || exit\n${script}`,
  );

describe('analysis3, as its users have it', () => {
  it('runs scientific Python after module load', async () => {
    expect(await loaded(`python3 -c 'import xarray, netCDF4, matplotlib, scipy; print("ok")'`)).toBe('ok');
  });

  it('sets what activation sets, the variables of the environment.yml too, and takes it back on unload', async () => {
    const answer = await loaded(
      'echo "$CONDA_PREFIX|$CONDA_DEFAULT_ENV|$CLIMATE_DATA|$OPAL_PREFIX"; module unload conda; echo "$PATH|$CLIMATE_DATA|$OPAL_PREFIX"',
    );

    expect(answer.split('\n')).toEqual([
      `${PREFIX}|analysis3-26.11|/data/with space/$HOME|${PREFIX}`,
      '/usr/local/bin:/usr/bin:/bin||',
    ]);
  });

  it.each(MODULE_SYSTEMS)('has the same variables after module load of %s as after real activation', async (system) => {
    // What deactivate.d scripts would need: unloading gives variables their values back by itself.
    const kept = ['_CONDA_SET_SSL_CERT_FILE', '_CONDA_SET_OPAL_PREFIX'];
    const ours = ['OMPI_MCA_orte_launch_agent', 'JUPYTER_PATH'];
    const mine = { SSL_CERT_FILE: '/x', OPAL_PREFIX: '/y' };

    await expectSameAsActivation(site, home, system, 'analysis3-26.11', {}, ours);
    await expectSameAsActivation(site, home, system, 'analysis3-26.11', mine, [...ours, ...kept]);
  });

  it('runs a script with our shebang, its arguments and its name untouched', async () => {
    const script = path.join(home, 'my script.py');
    await writeFile(
      script,
      `#!${site.scripts('analysis3', 'bin/python3')}\nimport sys; print(sys.argv, sys.prefix, sys.executable)\n`,
    );
    await chmod(script, 0o755);

    expect(await asUser(script, '--help', '', 'a b', '$x*')).toBe(
      `['${script}', '--help', '', 'a b', '$x*'] ${PREFIX} ${site.scripts('analysis3', 'bin/python3')}`,
    );
  });

  it('opens a shell inside through the launcher', async () => {
    expect(await asUser(site.scripts('analysis3', 'launcher'), 'bash', '-c', 'command -v python3; cd && pwd')).toBe(
      `${PREFIX}/bin/python3\n${home}`,
    );
  });

  it('writes and reads netCDF, computes with dask and draws a figure', async () => {
    const code = `
import matplotlib; matplotlib.use('Agg')
import numpy as np, xarray as xr, matplotlib.pyplot as plt
xr.Dataset({'t': ('x', np.arange(10.0))}).to_netcdf('t.nc')
with xr.open_dataset('t.nc', chunks={'x': 5}) as data:
    print(float(data.t.mean().compute()))
    data.t.plot(); plt.savefig('t.png')
`;

    expect(await python(code)).toBe('4.5');
    expect((await readFile(path.join(home, 't.png'))).subarray(1, 4).toString()).toBe('PNG');
  });

  it('L23: starts its own workers by spawn, which run sys.executable', async () => {
    const script = path.join(home, 'pool.py');
    await writeFile(
      script,
      `import multiprocessing, sys
def square(x): return x * x, sys.prefix
if __name__ == '__main__':
    with multiprocessing.get_context('spawn').Pool(2) as pool: print(pool.map(square, [3]))
`,
    );

    expect(await asUser(site.scripts('analysis3', 'bin/python3'), script)).toBe(`[(9, '${PREFIX}')]`);
  });

  it('L23: writes job scripts with sys.executable, as dask-jobqueue and payu do, which the host runs', async () => {
    const write = `import sys; print(f"{sys.executable} -c 'import sys, numpy; print(sys.prefix)'")`;
    const job = await asUser(site.scripts('analysis3', 'bin/python3'), '-c', write);
    expect(job.startsWith(site.scripts('analysis3', 'bin/python3'))).toBe(true);
    expect(await asUser('/bin/sh', '-c', job)).toBe(PREFIX);
    // And inside, where a job of a job is.
    expect(await asUser(site.scripts('analysis3', 'launcher'), '/bin/sh', '-c', job)).toBe(PREFIX);
  });

  it('makes a venv that works from the host, with the packages of the environment below its own', async () => {
    expect(await asUser(site.scripts('analysis3', 'bin/python3'), '-m', 'venv', '--system-site-packages', 'venv')).toBe(
      '',
    );

    expect(
      await asUser(
        path.join(home, 'venv/bin/python'),
        '-c',
        'import sys, numpy; print(sys.prefix, sys.base_prefix, numpy.__file__.startswith(sys.base_prefix))',
      ),
    ).toBe(`${home}/venv ${PREFIX} True`);

    // The python of a venv that a venv's python makes is a link called launcher.
    await asUser(path.join(home, 'venv/bin/python'), '-m', 'venv', '--without-pip', 'again');
    for (const name of ['python', 'python3', 'launcher']) {
      const prefix = ['-c', 'import sys; print(sys.prefix)'];
      expect(await asUser(path.join(home, 'again/bin', name), ...prefix)).toBe(`${home}/again`);
    }
  });

  it('runs MPI ranks that know each other', async () => {
    const hello = 'from mpi4py import MPI; c = MPI.COMM_WORLD; print(c.allreduce(c.rank + 1), c.size)';

    const answer = await loaded(`mpirun --oversubscribe -n 2 python3 -c '${hello}'`);

    expect(answer.split('\n')).toEqual(['3 2', '3 2']);
  });

  it('runs pytest, and passes on its exit code', async () => {
    await writeFile(path.join(home, 'test_sea.py'), 'def test_level(): assert 1 + 1 == 3\n');

    const ran = await runAsOrdinaryUser(home, [site.scripts('analysis3', 'bin/pytest'), '-q', 'test_sea.py']);

    expect(ran.exitCode).toBe(1);
    expect(ran.stdout).toContain('assert (1 + 1) == 3');
  });

  it.each([
    ["the host's Jupyter", (code: string) => executeNotebook(home, jupyter(), 'analysis3-26.11', code)],
    [
      "the environment's Jupyter",
      (code: string) => executeInKernel(home, site.modules, 'conda/analysis3', 'analysis3-26.11', code),
    ],
  ])('runs a notebook through its kernel, which %s finds, with what activation sets', async (_, execute) => {
    const code =
      'import os, sys, numpy; print(sys.prefix, os.environ["CONDA_PREFIX"], os.environ["CLIMATE_DATA"], numpy.arange(4).sum())';

    expect(await execute(code)).toBe(`${PREFIX} ${PREFIX} /data/with space/$HOME 6`);
  });

  it('answers what VS Code and PyCharm ask an interpreter', async () => {
    const python = site.scripts('analysis3', 'bin/python');

    expect(await probeInterpreter(home, python)).toMatchObject({
      ...{ versionInfo: [3, expect.any(Number), expect.any(Number), 'final'], sysPrefix: PREFIX, is64Bit: true },
      ...{
        executable: python,
        version: expect.stringMatching(/^Python 3\./) as string,
        hasPip: expect.any(Boolean) as boolean,
      },
      sysPath: expect.arrayContaining([expect.stringMatching(`^${PREFIX}/lib/python`)]) as string[],
    });
  });

  it('takes ssh from the host, not from the image', async () => {
    expect(await loaded('type -P ssh; ssh -V 2>&1 | cut -d_ -f1')).toBe(
      `${site.scripts('analysis3-26.11', 'bin/ssh')}\nOpenSSH`,
    );
  });

  it('compiles nothing when it imports: all bytecode in the image is valid', async () => {
    const ran = await runAsOrdinaryUser(home, [
      site.scripts('analysis3', 'bin/python3'),
      '-v',
      '-c',
      'import xarray, netCDF4, matplotlib.pyplot, scipy.stats, dask.array',
    ]);

    const lines = ran.stderr.split('\n');
    expect(lines.filter((line) => line.startsWith("# code object from '") && !line.includes('.pyc'))).toEqual([]);
    expect(lines.filter((line) => / matches .*xarray/.test(line)).length).toBeGreaterThan(10);
  });

  it('costs a few hundred inodes for more than ten thousand files, and lets nobody else write', async () => {
    const store = path.join(site.prefix, 'apps');
    // Not readdir: Node's goes through links, and would count the same files by each public path.
    const { stdout } = await execa('find', [store, '-printf', '%y %m\n']);
    const entries = stdout.split('\n').map((line) => line.split(' '));
    const listed = JSON.parse(await site.condenseOk('--json', 'list')) as { releases: { image: { inodes: number } }[] };

    expect(listed.releases[0]?.image.inodes).toBeGreaterThan(10_000);
    expect(entries.length).toBeLessThan(1000);
    expect(entries.filter(([type, mode = '']) => type !== 'l' && (Number.parseInt(mode, 8) & 0o022) !== 0)).toEqual([]);
  });

  it('has a manifest whose digests are those of the files', async () => {
    const release = path.dirname(path.dirname(await realFarm()));
    const manifest = JSON.parse(await readFile(path.join(release, 'manifest.json'), 'utf8')) as {
      image: { sha256: string };
      files: { path: string; sha256: string }[];
    };

    for (const file of manifest.files) {
      const digest = createHash('sha256')
        .update(await readFile(path.join(release, file.path)))
        .digest('hex');
      expect(`${file.path} ${digest}`).toBe(`${file.path} ${file.sha256}`);
    }
    expect(manifest.files.find((file) => file.path === 'env.sqsh')?.sha256).toBe(manifest.image.sha256);
  });
});

describe('a second release of analysis3', () => {
  it('disturbs no running python, is what new ones get, and goes back by one command', async () => {
    const [first, session] = [await site.liveRelease('analysis3-26.11'), startPython()];
    expect(await session.firstLine).toBe('running');
    await site.writeSpec(
      'analysis3',
      [channel],
      dependencies.filter((name) => name !== 'pytest'),
    );

    await site.condenseOk('install', 'analysis3');

    expect(await site.liveRelease('analysis3-26.11')).not.toBe(first);
    expect(
      await python('import importlib.util as u; print(u.find_spec("pytest"), u.find_spec("scipy") is not None)'),
    ).toBe('None True');
    // Nothing of scipy was open yet: it comes out of the image that this python began with, and so does pytest.
    expect(await session.goOn()).toBe('running\n2.0 True');
    await site.condenseOk('rollback', 'analysis3');
    expect(await site.liveRelease('analysis3-26.11')).toBe(first);
    expect(await asUser(site.scripts('analysis3', 'bin/pytest'), '--version')).toMatch(/^pytest /);
  }, 600_000);
});

/** A user's python that waits for a line, then imports what it has not touched before. */
function startPython(): { firstLine: Promise<string>; goOn: () => Promise<string> } {
  const code = `
print('running', flush=True)
input()
import scipy.integrate, importlib.util as u
print(round(scipy.integrate.quad(lambda x: x, 0, 2)[0], 6), u.find_spec('pytest') is not None)
`;
  return startAsUser(home, [site.scripts('analysis3', 'bin/python3'), '-c', code]);
}

/** The live release's `bin/python3`. */
async function realFarm(): Promise<string> {
  const release = await site.liveRelease('analysis3-26.11');
  return path.join(site.prefix, 'apps/condense/releases/analysis3-26.11', release ?? '', 'bin/python3');
}

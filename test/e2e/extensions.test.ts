// What users build on an environment that is not theirs: processes of their own, venvs, packages in their home. As an
// ordinary user, with sessions, before and after an update of the version.
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeHome, runAsOrdinaryUser } from '../../ci/ordinary-user.ts';
import { digestFile } from '../../src/system/files.ts';
import { runCommand } from '../../src/system/run-command.ts';
import { ensureTestChannel } from '../channel/make-channel.ts';
import { LinkFixture } from '../integration/conda/link-fixture.ts';
import { makeWheel } from '../pip/distributions.ts';
import { closure, readChannel } from './channel-closure.ts';
import { condaActivate, condaDeactivate } from './conda-activate.ts';
import { startSlurm, startSshd, type Slurm, type Sshd } from './daemons.ts';
import { TestSite } from './test-site.ts';

const PREFIX = '/opt/conda/x-1';
const DEPENDENCIES = ['python=3.11', 'numpy', 'dask', 'distributed', 'pip', 'setuptools'];
let site: TestSite;
let home: string;
let channel: string;
let wheels: string;

beforeAll(async () => {
  site = await TestSite.make();
  home = await makeHome();
  channel = pathToFileURL((await ensureTestChannel()).dir).href;
  await site.writeConfig(
    `  x: { version: '1', stable: '1', outside_commands: [ssh, srun, sbatch], ssh_hosts: [node1] }\n`,
  );
  await site.writeSpec('x', [channel], DEPENDENCIES);
  await site.condenseOk('install', 'x');
  wheels = path.join(site.dir, 'wheels');
  await mkdir(wheels);
  const { fileName, bytes } = await makeWheel({
    ...{ name: 'greet', version: '1.0', files: { 'greet.py': 'def main(): print("greetings")\n' } },
    entryPoints: '[console_scripts]\ngreet = greet:main\n',
  });
  await writeFile(path.join(wheels, fileName), bytes);
});
afterAll(async () => {
  await site.remove();
  await rm(home, { recursive: true, force: true });
});

const farm = (command: string): string => site.scripts('x', `bin/${command}`);

/** What it prints on both streams, and how it ended if not well. */
async function asUser(command: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<string> {
  const { exitCode, stdout, stderr } = await runAsOrdinaryUser(home, command, env);
  return [...(exitCode === 0 ? [] : [`exit ${exitCode ?? '?'}`]), stdout, stderr]
    .filter((text) => text !== '')
    .join('\n');
}
async function runScript(name: string, code: string): Promise<string> {
  const file = path.join(home, name);
  await writeFile(file, code);
  return await asUser([farm('python3'), file]);
}

describe('processes of its own', () => {
  it('starts pools by fork, spawn and forkserver, and futures on each', async () => {
    const code = `
import multiprocessing as mp, concurrent.futures as cf, sys
def square(x): return x * x, sys.prefix
if __name__ == '__main__':
    for how in 'fork', 'spawn', 'forkserver':
        with mp.get_context(how).Pool(2) as pool: print(how, pool.map(square, [3]))
        with cf.ProcessPoolExecutor(2, mp_context=mp.get_context(how)) as pool: print(how, list(pool.map(square, [4])))
`;
    const lines = ['fork', 'spawn', 'forkserver'].flatMap((how) => [
      `${how} [(9, '${PREFIX}')]`,
      `${how} [(16, '${PREFIX}')]`,
    ]);

    expect(await runScript('pools.py', code)).toBe(lines.join('\n'));
  });

  it('computes on a LocalCluster of dask.distributed, whose workers are in the same container', async () => {
    const code = `
from dask.distributed import Client, LocalCluster
import os, sys
def where(): return sys.prefix, os.readlink('/proc/self/ns/mnt')
if __name__ == '__main__':
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster) as client:
        print(set(client.run(where).values()) == {where()}, client.submit(sum, [1, 2, 3]).result())
`;

    expect(await runScript('cluster.py', code)).toBe('True 6');
  });

  it('goes from host to environment to host to environment, with arguments and exit code', async () => {
    const inner = 'import sys; print(sys.prefix, sys.argv[1:]); sys.exit(3)';
    const code = `
import subprocess, sys
ran = subprocess.run(['/bin/bash', '-c', '"$0" "$@"; echo "bash saw $?"', '${farm('python3')}', '-c', '''${inner}''', 'a b', ''])
`;

    expect(await runScript('chain.py', code)).toBe(`${PREFIX} ['a b', '']\nbash saw 3`);
  });
});

describe('workers of dask.distributed on other nodes', () => {
  let sshd: Sshd;
  let slurm: Slurm;
  beforeAll(async () => {
    sshd = await startSshd(path.join(site.dir, 'sshd'), home);
    slurm = await startSlurm(path.join(site.dir, 'slurm'));
  });
  afterAll(async () => {
    await slurm.stop();
    await sshd.stop();
  });

  it('start by ssh, by srun and by a job script, as sys.executable says, and compute in the same environment', async () => {
    const code = `
from dask.distributed import Client, LocalCluster
import os, shlex, subprocess, sys
def where(): return sys.prefix, os.environ.get('SLURM_JOB_ID') is not None
if __name__ == '__main__':
    with LocalCluster(n_workers=0, host='127.0.0.1', dashboard_address=None) as cluster, Client(cluster) as client:
        def worker(name): return [sys.executable, '-m', 'distributed.cli.dask_worker', cluster.scheduler_address,
            '--name', name, '--nthreads', '1', '--no-nanny', '--no-dashboard', '--death-timeout', '100']
        log = open('workers.log', 'w')
        with open('job.sh', 'w') as job: job.write('#!/bin/sh\\nexec ' + shlex.join(worker('job')) + '\\n')
        ssh = subprocess.Popen([*sys.argv[1:], shlex.join(worker('ssh'))], stderr=log)
        step = subprocess.Popen(['srun', '-w', 'slurm1', *worker('step')], stderr=log)
        subprocess.run(['sbatch', '-o', 'job.log', '-w', 'slurm2', 'job.sh'], stdout=log, check=True)
        client.wait_for_workers(3, timeout=100)
        names = {one: info['name'] for one, info in client.scheduler_info()['workers'].items()}
        for one, answer in sorted(client.run(where).items(), key=lambda item: names[item[0]]): print(names[one], *answer)
        print(sum(client.gather(client.map(abs, range(-9, 0)))))
        client.shutdown()
        ssh.wait(), step.wait()
`;
    const file = path.join(home, 'far.py');
    await writeFile(file, code);
    const ssh = [farm('ssh'), '-F', sshd.config, 'node1'];
    // dask says much of its end on standard error.
    const env = { SLURM_CONF: slurm.conf };
    const { stdout, stderr } = await runAsOrdinaryUser(home, [farm('python3'), file, ...ssh], env);

    expect(stdout, stderr).toBe([`job ${PREFIX} True`, `ssh ${PREFIX} False`, `step ${PREFIX} True`, '45'].join('\n'));
  });
});

/** uv cannot be had where the tests run: what `uv venv --system-site-packages -p $0 $1` leaves (its crates/uv-virtualenv/src/virtualenv.rs). */
const UV_VENV = `
base=$("$0" -I -c 'import sys; print(sys._base_executable)')
mkdir -p "$1/bin" "$1/lib/python3.11/site-packages"
ln -s "$base" "$1/bin/python"
ln -s python "$1/bin/python3"
ln -s python "$1/bin/python3.11"
ln -s lib "$1/lib64"
cat >"$1/pyvenv.cfg" <<END
home = $(dirname "$base")
implementation = CPython
uv = 0.9.8
version_info = $("$base" -c 'import platform; print(platform.python_version())')
include-system-site-packages = true
END
`;

describe('packages of the user', () => {
  const pip = ['-m', 'pip', '--disable-pip-version-check', '--no-cache-dir', 'install', '--no-index'];
  const greet = (): string[] => ['--find-links', wheels, 'greet'];
  const mine = { PYTHONNOUSERSITE: '' };

  it('L20: come not out of ~/.local, unless the user asks for them', async () => {
    expect(await asUser([farm('python3'), ...pip, '--user', '--no-warn-script-location', ...greet()])).toContain(
      'Successfully installed greet-1.0',
    );

    expect(await asUser([farm('python3'), '-c', 'import greet; greet.main()'], mine)).toBe('greetings');
    expect(await asUser([path.join(home, '.local/bin/greet')], mine)).toBe('greetings');
    expect(await asUser([farm('python3'), '-c', 'import greet'])).toContain("No module named 'greet'");
  });

  it('cannot go into the environment, which stays as it is', async () => {
    expect(await asUser([farm('python3'), ...pip, ...greet()])).toMatch(/^exit 1\n[^]*Read-only file system/);
  });

  it('go into the environment through an overlay that is written to, for those who have it alone', async () => {
    const image = path.join(
      site.prefix,
      'apps/condense/releases/x-1',
      (await site.liveRelease('x-1')) ?? '',
      'env.sqsh',
    );
    const before = await digestFile(image);
    await asUser(['mkdir', 'changes']);
    const over = { CONTAINER_OVERLAY_PATH: `${home}/changes:rw` };
    const look = ['-c', 'import greet; greet.main(); print(greet.__file__)'];

    expect(await asUser([farm('python3'), ...pip, ...greet()], over)).toContain('Successfully installed greet-1.0');
    expect(await asUser([farm('python3'), ...look], over)).toBe(
      `greetings\n${PREFIX}/lib/python3.11/site-packages/greet.py`,
    );
    const module = `. /etc/profile.d/modules.sh; module use ${site.modules}; module load conda/x; pip uninstall -y greet`;
    expect(await asUser(['bash', '-c', module], over)).toContain('Successfully uninstalled greet-1.0');
    expect(await asUser([farm('python3'), ...look])).toContain("No module named 'greet'");
    expect(await digestFile(image)).toBe(before);
  });

  it('stand in a venv, of venv, virtualenv and uv, which an update of the version gives what is new', async () => {
    await asUser([farm('python3'), '-m', 'venv', '--system-site-packages', 'plain']);
    // The host's own virtualenv, with the wheels that its distribution has.
    expect(
      await asUser([
        '/usr/bin/virtualenv',
        '-q',
        '--no-download',
        '--system-site-packages',
        '-p',
        farm('python3'),
        'virtual',
      ]),
    ).toBe('');
    await asUser(['bash', '-ec', UV_VENV, farm('python3'), path.join(home, 'uv')]);
    const names = ['plain', 'virtual', 'uv'];
    const pythons = names.map((name) => path.join(home, name, 'bin/python'));
    for (const python of pythons) {
      expect(await asUser([python, ...pip, '-q', ...greet()])).toBe('');
      expect(await asUser([python, '-c', 'import pytest'])).toContain("No module named 'pytest'");
    }

    await site.writeSpec('x', [channel], [...DEPENDENCIES, 'pytest']);
    await site.condenseOk('install', 'x');

    for (const [index, name] of names.entries()) {
      const code = 'import sys, pytest, numpy; print(sys.prefix, sys.base_prefix, numpy.__file__)';
      expect(await asUser([pythons[index] ?? '', '-c', code])).toBe(
        `${home}/${name} ${PREFIX} ${PREFIX}/lib/python3.11/site-packages/numpy/__init__.py`,
      );
      expect(await asUser([path.join(home, name, 'bin/greet')])).toBe('greetings');
    }
  });
});

describe('a layer: launcher --layer', () => {
  const layer = (): string => path.join(home, 'mine');
  const make = (...args: string[]): Promise<string> => asUser([site.scripts('x', 'launcher'), '--layer', ...args]);
  const offline = (): string[] => ['--no-index', '--find-links', wheels];

  it('is one image with the packages of the user, and the commands that start in it', async () => {
    expect(await make('mine', ...offline(), 'greet')).toContain(`made ${layer()} on top of x-1`);

    expect((await readdir(layer())).sort()).toEqual(['bin', 'layer.sqsh', 'run']);
    expect(await asUser([`${layer()}/bin/greet`])).toBe('greetings');
    const code = 'import sys, greet, numpy; print(sys.prefix, sys.base_prefix, sys.argv[1:]); sys.exit(4)';
    expect(await asUser([`${layer()}/bin/python`, '-c', code, 'a b', ''])).toBe(
      `exit 4\n/opt/layers/mine ${PREFIX} ['a b', '']`,
    );
    expect(await asUser([farm('python3'), '-c', 'import greet'])).toContain("No module named 'greet'");
  });

  it('is also mounted by CONTAINER_OVERLAY_PATH, and its commands work from inside', async () => {
    const mounted = { CONTAINER_OVERLAY_PATH: `${layer()}/layer.sqsh` };
    expect(await asUser([site.scripts('x', 'launcher'), '/opt/layers/mine/bin/greet'], mounted)).toBe('greetings');
    const inner = `import subprocess; subprocess.run(['${layer()}/bin/greet'])`;
    expect(await asUser([`${layer()}/bin/python`, '-c', inner])).toBe('greetings');
  });

  it('is not made over something, nor half', async () => {
    expect(await make('mine', ...offline(), 'greet')).toContain(`there is something already, ${layer()}`);
    expect(await make('other', ...offline(), 'nosuch')).toMatch(/^exit 125\n[^]*pip could not install that/);
    expect(await make('a:b', 'greet')).toMatch(/^exit 125\ncondense: the directory of a layer is a name/);
    expect((await readdir(home)).filter((name) => name.startsWith('other'))).toEqual([]);
  });

  it('is the same by condense layer, which names the culprit when nothing was made', async () => {
    const more = path.join(home, 'more');
    const failed = await site.condense('layer', 'x', more, '--', ...offline(), 'nosuch');
    expect(failed).toMatchObject({ exitCode: 5, stderr: expect.stringContaining('nosuch') as string });
    expect(await site.condenseOk('layer', 'x', more, '--', ...offline(), 'greet')).toContain(
      `made ${more} on top of x-1`,
    );

    expect(await asUser([`${more}/bin/greet`])).toBe('greetings');
  });

  it('says so when its version has another Python', async () => {
    // Another image over the layer, in which it is as if made by a Python that the environment has not.
    const root = path.join(home, 'root');
    const name = 'opt/layers/mine/bin/.start';
    await asUser(['unsquashfs', '-quiet', '-no-progress', '-dest', root, `${layer()}/layer.sqsh`, name]);
    const start = await readFile(path.join(root, name), 'utf8');
    await writeFile(path.join(root, name), start.replace('echo python*', 'echo python3.1'));
    await asUser(['mksquashfs', root, 'over.sqsh', '-quiet', '-no-progress']);
    const over = { CONTAINER_OVERLAY_PATH: `${layer()}/layer.sqsh:${home}/over.sqsh` };

    expect(await asUser([site.scripts('x', 'launcher'), '/opt/layers/mine/bin/.start', 'greet'], over)).toBe(
      'exit 125\ncondense: this layer was made with python3.1, which x-1 has no more, /opt/layers/mine, make it again with launcher --layer',
    );
  });

  it('says so when its version is gone', async () => {
    const run = await readFile(path.join(layer(), 'run'), 'utf8');
    await writeFile(path.join(layer(), 'run'), run.replace('/x-1.d/', '/x-0.d/'));
    expect(await asUser([`${layer()}/bin/greet`])).toMatch(
      /^exit 125\ncondense: x-1, which this layer was made for, is gone/,
    );
  });
});

describe('next to it', () => {
  // conda cannot be had where the tests run: the linker of condense makes the prefix that `conda env create` makes.
  const own = (): string => path.join(home, '.conda/envs/mine');
  const load = (): string => `. /etc/profile.d/modules.sh; module use ${site.modules}; module load conda/x`;
  const scripts = {
    activate: ['ca-certificates-activate.sh'],
    deactivate: ['ca-certificates-deactivate.sh'],
  };
  const activate = (): string => condaActivate('bash', own(), { scripts, path: '$PATH' });
  const deactivate = (): string => condaDeactivate('bash', own(), { scripts, path: `\${PATH#${own()}/bin:}` });
  const SEE = `
import importlib.util, os, subprocess, sys
names = 'CONDA_PREFIX', 'SSL_CERT_FILE', 'PYTHONHOME', 'LD_LIBRARY_PATH'
print(sys.prefix, 'numpy' if importlib.util.find_spec('numpy') else '-', *map(os.environ.get, names), flush=True)
if sys.argv[1:]: sys.exit(subprocess.run([sys.argv[1], sys.argv[0], *sys.argv[2:]]).returncode)
`;
  beforeAll(async () => {
    const packages = await readChannel((await ensureTestChannel()).dir);
    const fixture = await LinkFixture.make();
    for (const { file, index } of closure(packages, ['python', 'ca-certificates'])) await fixture.addFile(file, index);
    await mkdir(own(), { recursive: true });
    await fixture.install({ prefixOnDisk: own(), prefixInside: own(), runInside: runCommand });
    await fixture.remove();
    await writeFile(path.join(home, 'see.py'), SEE);
  });

  it.each(['module, then conda', 'conda, then module', 'conda alone', 'neither any more'] as const)(
    "a conda environment of the user's: %s. Each Python has its own packages, and starts the other and is started by it",
    async (when) => {
      const steps = {
        'module, then conda': [load(), activate()],
        'conda, then module': [activate(), load()],
        'conda alone': [activate(), load(), 'module unload conda'],
        'neither any more': [load(), activate(), deactivate()],
      }[when];
      const isConda = when === 'module, then conda' || when === 'conda alone';
      // Variables are the caller's, so of the one that was activated last; nothing of the other's is among them.
      const prefix = isConda ? own() : PREFIX;
      const variables = `${when === 'neither any more' ? 'None' : prefix} ${prefix}/ssl/cacert.pem None None`;
      const ours = `${PREFIX} numpy ${variables}`;
      const theirs = `${own()} - ${variables}`;
      const [python, far] = [`${own()}/bin/python3`, farm('python3')];
      const script = [
        ...steps,
        'python3 see.py; echo',
        `${python} see.py ${far} ${python}; echo; ${far} see.py ${python} ${far}`,
      ];

      expect(await asUser(['bash', '-c', script.join('\n')])).toBe(
        [isConda ? theirs : ours, '', theirs, ours, theirs, '', ours, theirs, ours].join('\n'),
      );
    },
  );
  it("a Python of the user's, or of the host, is not disturbed by the module", async () => {
    const script = `. /etc/profile.d/modules.sh; module use ${site.modules}; module load conda/x
/usr/bin/python3 -c 'import sys; print(sys.prefix)'; env | grep -E '^(PYTHON|CONDA_(EXE|PYTHON_EXE)|LD_)' | cut -d= -f1`;

    expect(await asUser(['bash', '-c', script])).toBe('/usr');
  });
});

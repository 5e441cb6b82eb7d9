// From a host with the module, by a farm's path and from inside, through ssh, pbs_tmrsh, srun and mpirun, to a host:
// real daemons on loopback, but for pbs_tmrsh. The module holds an older release than the one that is live.
import { chmod, copyFile, mkdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { asOrdinaryUser, makeHome } from '../../ci/ordinary-user.ts';
import { ensureTestChannel } from '../channel/make-channel.ts';
import { startSlurm, startSshd, type Slurm, type Sshd } from './daemons.ts';
import { TestSite } from './test-site.ts';

const PREFIX = '/opt/conda/far-1';
const PROBE = `
import importlib.util, json, os, sys
print(json.dumps({
    'prefix': sys.prefix,
    'release': 'first' if importlib.util.find_spec('pip') else 'second',
    'cwd': os.getcwd(),
    'pin': os.environ.get('CONDENSE_RELEASE'),
    'conda': os.environ.get('CONDA_PREFIX'),
    'secret': os.environ.get('SECRET'),
    'args': sys.argv[2:],
    'stdin': sys.stdin.read(),
}), flush=True)
if sys.argv[1] == 'die': os.kill(os.getpid(), 15)
sys.exit(int(sys.argv[1]))
`;
let site: TestSite;
let home: string;
let sshd: Sshd;
let slurm: Slurm;
let first: string;
let probe: string;

beforeAll(async () => {
  site = await TestSite.make();
  home = await makeHome();
  const { dir } = await ensureTestChannel();
  await site.writeConfig(
    `  far: { version: '1', stable: '1', outside_commands: [ssh, pbs_tmrsh, srun, sbatch], ssh_hosts: ['node?'] }\n`,
  );
  const write = (...more: string[]): Promise<void> =>
    site.writeSpec('far', [pathToFileURL(dir).href], ['python', 'mpi4py', 'openmpi', 'openssh', ...more]);
  await write('pip');
  await site.condenseOk('install', 'far');
  first = (await site.liveRelease('far-1')) ?? '';
  sshd = await startSshd(path.join(site.dir, 'sshd'), home);
  slurm = await startSlurm(path.join(site.dir, 'slurm'));
  for (const name of ['work', 'bin']) {
    await mkdir(path.join(home, name));
    await chmod(path.join(home, name), 0o777);
  }
  await copyFile(path.join(import.meta.dirname, 'pbs-tmrsh-stand-in.sh'), path.join(home, 'bin/pbs_tmrsh'));
  probe = path.join(home, 'probe.py');
  await writeFile(probe, PROBE);
  // What makes the module hold the first one: a job that loaded it before.
  const loaded = await run(`${load()}; export -p`);
  await writeFile(path.join(home, 'loaded'), loaded.stdout);
  await write();
  await site.condenseOk('install', 'far');
}, 1_800_000);
afterAll(async () => {
  await slurm.stop();
  await sshd.stop();
  await site.remove();
  await rm(home, { recursive: true, force: true });
});

const load = (): string => `. /etc/profile.d/modules.sh; module use ${site.modules}; module load conda/far || exit 99`;

interface Ran {
  readonly exitCode: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

async function run(script: string, input = ''): Promise<Ran> {
  const [program = '', ...args] = asOrdinaryUser(['bash', '-c', script]);
  const { exitCode, stdout, stderr } = await execa(program, args, {
    cwd: path.join(home, 'work'),
    input,
    reject: false,
    extendEnv: false,
    timeout: 120_000,
    env: {
      HOME: home,
      PATH: `/usr/local/bin:/usr/bin:/bin:${home}/bin`,
      SHELL: '/bin/bash',
      SLURM_CONF: slurm.conf,
      SECRET: 'not to be seen',
      OMPI_MCA_plm_rsh_args: `-F ${sshd.config}`,
      OMPI_MCA_rmaps_base_oversubscribe: '1',
    },
  });
  return { exitCode, stdout, stderr };
}

type From = 'host with module' | 'farm path' | 'inside';
/** The same command, started from there. */
function from(where: From, command: string): string {
  if (where === 'farm path') return command;
  const loaded = `. ${home}/loaded`;
  return where === 'inside'
    ? `${loaded}; exec ${site.scripts('far', 'launcher')} bash -c '${command.replaceAll("'", `'\\''`)}'`
    : `${loaded}; ${command}`;
}
const farm = (name: string): string => site.scripts('far', `bin/${name}`);
/** A command of the environment, as it is called from there. */
const named = (where: From, name: string): string => (where === 'farm path' ? farm(name) : name);

const HOPS: Readonly<Record<string, (where: From) => string>> = {
  ssh: (where) => `${named(where, 'ssh')} -F ${sshd.config} node1`,
  pbs_tmrsh: (where) => `${named(where, 'pbs_tmrsh')} -n node1 -l$(id -un)`,
  srun: (where) => `${named(where, 'srun')} -n 1`,
  mpirun: (where) => `${named(where, 'mpirun')} -n 1 --host node1`,
};
const FROM: From[] = ['host with module', 'farm path', 'inside'];
const cells = FROM.flatMap((where) => Object.keys(HOPS).map((hop) => [where, hop] as const));

describe.each(cells)('from: %s, by: %s', (where, hop) => {
  const go = (status: string, input = 'of the caller'): Promise<Ran> =>
    run(from(where, `${HOPS[hop]?.(where) ?? ''} ${named(where, 'python3')} ${probe} ${status} a "b"; exit $?`), input);
  const isPinned = where !== 'farm path';
  // mpirun makes its directory, but not its environment, that of the ranks.
  const passesEnvironment = hop === 'srun';

  test('the command is in the same release, with its directory, variables, input and exit status', async () => {
    const { exitCode, stdout, stderr } = await go('7');

    expect(stdout, stderr).toMatch(/^{/);
    expect(JSON.parse(stdout.split('\n', 1)[0] ?? '')).toEqual({
      prefix: PREFIX,
      release: isPinned ? 'first' : 'second',
      cwd: passesEnvironment || hop === 'mpirun' ? path.join(home, 'work') : home,
      pin: isPinned ? `far-1/${first}` : null,
      conda: isPinned ? PREFIX : null,
      secret: passesEnvironment ? 'not to be seen' : null,
      args: ['a', 'b'],
      stdin: 'of the caller',
    });
    expect(exitCode).toBe(7);
  });

  test('death by a signal gives the status that the hop without the environment gives', async () => {
    const bare: Readonly<Record<string, string>> = {
      ssh: `/usr/bin/ssh -F ${sshd.config} node1`,
      pbs_tmrsh: `${home}/bin/pbs_tmrsh node1`,
      srun: '/usr/bin/srun -n 1',
      mpirun: '/usr/bin/mpirun -n 1',
    };
    await writeFile(path.join(home, 'die.pl'), 'kill TERM => $$; sleep 9;');
    const expected = await run(`${bare[hop] ?? ''} /usr/bin/perl ${home}/die.pl; exit $?`);

    expect((await go('die')).exitCode).toBe(expected.exitCode);
  });
});

describe('ssh', () => {
  const ssh = (command: string, host = 'node1'): Promise<Ran> =>
    run(from('host with module', `ssh -F ${sshd.config} ${host} ${command}`));
  const which = `python3 -c "import sys; print(sys.prefix)"`;

  test.each(['/bin/bash', '/bin/dash', '/usr/bin/zsh', '/usr/bin/tcsh', '/usr/bin/fish'])(
    'to a login shell %s takes any command, as that shell reads it',
    async (shell) => {
      await sshd.setShell(shell);
      const text = `python3 -c "import sys; print(sys.prefix, sys.argv[1:])" "a  b" 'c  $HOME'`;
      const { stdout, stderr } = await ssh(`'${text.replaceAll("'", `'\\''`)}'`);
      await sshd.setShell('/bin/bash');

      expect([stdout, stderr]).toEqual([`${PREFIX} ['a  b', 'c  $HOME']`, '']);
    },
  );
  test('start-up files of bash that set PATH do not undo it', async () => {
    await writeFile(path.join(home, '.bashrc'), 'export PATH=/usr/bin:/bin\n');
    const { stdout } = await ssh(`'${which}'`);
    await rm(path.join(home, '.bashrc'));

    expect(stdout).toBe(PREFIX);
  });
  test('to a host that is none of the site gives the plain command', async () => {
    expect((await ssh(`'${which}'`, 'elsewhere')).stdout).toBe('/usr');
  });
  test('git, scp and sftp work through it as ever', async () => {
    const config = `-F ${sshd.config}`;
    const { exitCode, stdout, stderr } = await run(
      from(
        'host with module',
        `set -e; git init -q --bare ~/it.git; GIT_SSH_COMMAND='ssh ${config}' git clone -q node1:it.git ~/it
        echo text >~/a; scp -q -O -S "$(command -v ssh)" ${config} ~/a node1:b; cat ~/b
        echo 'get b c' | sftp -q -b - -S "$(command -v ssh)" ${config} node1 >/dev/null; cat c`,
      ),
    );

    expect([exitCode, stdout], stderr).toEqual([0, 'text\ntext']);
  });
});

describe('Slurm', () => {
  test('sbatch runs a script whose first line is the farm, also from inside', async () => {
    await writeFile(
      path.join(home, 'job.py'),
      `#!${farm('python3')}\nimport os, subprocess, sys\nprint(sys.prefix, os.getcwd())\n` +
        `print(subprocess.check_output(['srun', sys.executable, '-c', 'import sys; print(sys.prefix)'], text=True))\n`,
    );
    for (const where of ['host with module', 'inside'] as const) {
      const { exitCode, stderr } = await run(from(where, `sbatch -W -o out ${home}/job.py`));
      const out = await run('cat out');

      expect([exitCode, out.stdout.trim()], stderr).toEqual([0, `${PREFIX} ${home}/work\n${PREFIX}`]);
    }
  });
  test('srun takes the path of a program in the image to where the image is not', async () => {
    const { stdout, stderr } = await run(
      from('inside', `srun -n 2 ${PREFIX}/bin/python3 -c 'import sys; print(sys.prefix)'`),
    );

    expect(stdout, stderr).toBe(`${PREFIX}\n${PREFIX}`);
  });
});

describe('ranks on one node', () => {
  const RANKS = `
import ctypes, os
from mpi4py import MPI
comm, libc = MPI.COMM_WORLD, ctypes.CDLL(None, use_errno=True)
libc.prctl(0x59616d61, -1, 0, 0, 0)
text = ctypes.create_string_buffer(b'of rank %d' % comm.rank, 16)
all = comm.allgather((os.getpid(), ctypes.addressof(text), os.readlink('/proc/self/ns/user')))
class Vector(ctypes.Structure): _fields_ = [('base', ctypes.c_void_p), ('length', ctypes.c_size_t)]
there, here = all[(comm.rank + 1) % comm.size], ctypes.create_string_buffer(16)
libc.process_vm_readv.restype = ctypes.c_ssize_t
libc.process_vm_readv(there[0], ctypes.byref(Vector(ctypes.addressof(here), 16)), 1, ctypes.byref(Vector(there[1], 16)), 1, 0)
comm.Barrier()
big = comm.sendrecv(bytes([comm.rank]) * (1 << 22), (comm.rank + 1) % comm.size, source=(comm.rank - 1) % comm.size)
print(comm.size, len({one[2] for one in all}), here.value.decode(), big[0], flush=True)
`;
  test.each(['host with module', 'farm path', 'inside'] as const)(
    'started from: %s, share one user namespace, and memory through vader, which may copy between them (CMA)',
    async (where) => {
      await writeFile(path.join(home, 'ranks.py'), RANKS);
      const only = '--mca btl self,vader --mca btl_vader_single_copy_mechanism cma';
      const { stdout, stderr } = await run(
        from(where, `${named(where, 'mpirun')} -n 3 ${only} ${named(where, 'python3')} ${home}/ranks.py`),
      );

      expect(stdout.split('\n').sort(), stderr).toEqual(['3 1 of rank 0 1', '3 1 of rank 1 2', '3 1 of rank 2 0']);
    },
  );
});

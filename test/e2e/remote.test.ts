// What else holds for commands that go elsewhere, besides the matrix (hop-matrix.test.ts): death by a signal, ^C, login
// shells, other tools of ssh, Slurm's jobs, ranks. Real daemons on loopback, but for pbs_tmrsh.
import { readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeFarSite, type FarSite, type Ran } from './far-site.ts';
import { runOnTerminal } from './on-terminal.ts';

const PREFIX = '/opt/conda/far-1';
let far: FarSite;
let home: string;

beforeAll(async () => {
  far = await makeFarSite();
  home = far.home;
}, 1_800_000);
afterAll(async () => {
  await far.remove();
});

type From = 'host with module' | 'farm path' | 'inside';
const FROM: From[] = ['host with module', 'farm path', 'inside'];
/** The same command, started from there. */
function from(where: From, command: string): string {
  if (where === 'farm path') return command;
  const loaded = `. ${home}/loaded`;
  return where === 'inside'
    ? `${loaded}; exec ${far.site.scripts('far', 'launcher')} bash -c '${command.replaceAll("'", `'\\''`)}'`
    : `${loaded}; ${command}`;
}
const farm = (name: string): string => far.site.scripts('far', `bin/${name}`);
/** A command of the environment, as it is called from there. */
const named = (where: From, name: string): string => (where === 'farm path' ? farm(name) : name);

const HOPS = ['ssh', 'pbs_tmrsh', 'srun', 'mpirun'] as const;
type Hop = (typeof HOPS)[number];
function hop(where: From, by: Hop): string {
  const hops: Readonly<Record<Hop, string>> = {
    ssh: `${named(where, 'ssh')} -F ${far.sshd.config} node1`,
    pbs_tmrsh: `${named(where, 'pbs_tmrsh')} node1`,
    srun: `${named(where, 'srun')} -n 1`,
    mpirun: `${named(where, 'mpirun')} -n 1 --host node1`,
  };
  return hops[by];
}
/** The same without the environment. */
function bareHop(by: Hop): string {
  const hops: Readonly<Record<Hop, string>> = {
    ssh: `/usr/bin/ssh -F ${far.sshd.config} node1`,
    pbs_tmrsh: `${home}/bin/pbs_tmrsh node1`,
    srun: '/usr/bin/srun -n 1',
    mpirun: '/usr/bin/mpirun -n 1',
  };
  return hops[by];
}

describe.each(HOPS)('by %s', (by) => {
  test('death by a signal gives the status that the hop without the environment gives', async () => {
    await writeFile(path.join(home, 'die.pl'), 'kill TERM => $$; sleep 9;');
    await writeFile(path.join(home, 'die.py'), 'import os, time; os.kill(os.getpid(), 15); time.sleep(9)');
    const expected = await far.run(`${bareHop(by)} /usr/bin/perl ${home}/die.pl; exit $?`);
    for (const where of FROM) {
      const python = named(where, 'python3');
      const { exitCode } = await far.run(from(where, `${hop(where, by)} ${python} ${home}/die.py; exit $?`));

      expect([where, exitCode]).toEqual([where, expected.exitCode]);
    }
  });
});

/** Says which signal it got, and ends by itself then. */
const TELLER = `
import os, signal, sys, time
def tell(number, _):
    open(sys.argv[1], 'w').write(signal.Signals(number).name)
    sys.exit(5)
for one in signal.SIGINT, signal.SIGTERM, signal.SIGHUP: signal.signal(one, tell)
print('it is', 'up', os.getpid(), flush=True)
# A signal that comes just before a sleep is told after it.
for _ in range(1200): time.sleep(0.05)
`;
describe.each([
  ['ssh -tt', `-tt -F CONFIG node1`],
  // It passes the signal on and does no more; without this option, or with a second ^C, it kills the step as well.
  ['srun', '--disable-status'],
  ['mpirun', '-n 1 --host node1'],
])('^C on a terminal, while %s runs', (name, options) => {
  const [program = ''] = name.split(' ');
  /** The signal that the program got, and the status of the hop. */
  const interrupt = async (where: From | 'bare'): Promise<[signal: string, status: string | undefined]> => {
    const told = path.join(home, 'work/told');
    const words = options.replace('CONFIG', far.sshd.config).replace('--host node1', where === 'bare' ? '' : '$&');
    const start = where === 'bare' ? `/usr/bin/${program}` : named(where, program);
    const python = where === 'bare' ? '/usr/bin/python3' : named(where, 'python3');
    const line = `${start} ${words} ${python} ${home}/teller.py ${told}; echo "status=$?"`;
    await writeFile(path.join(home, 'line'), where === 'bare' ? line : from(where, line));
    await rm(told, { force: true });
    const said = await runOnTerminal(`bash ${home}/line`, far.env, {
      ...{ when: 'it is up', keys: '\u0003', cwd: path.join(home, 'work') },
    });
    return [await readFile(told, 'utf8').catch(() => said), /status=(\d+)/.exec(said)?.[1]];
  };

  test('the program gets the signal that it gets without the environment, and so does the caller its status', async () => {
    await writeFile(path.join(home, 'teller.py'), TELLER);
    const bare = await interrupt('bare');
    expect(bare[0]).toMatch(/^SIG/);
    for (const where of FROM) expect([where, await interrupt(where)]).toEqual([where, bare]);
  });
});

describe.each([
  ['ssh on a terminal, whose client is ended', '-tt -F CONFIG node1', 'kill -TERM $!', 'SIGHUP'],
  // srun asks Slurm to kill the step.
  ['srun, ended by SIGTERM', '-n 1', 'kill -TERM $!', ''],
  ['srun, ended by scancel', '-n 1 -J ended', 'scancel -n ended', 'SIGTERM'],
  ['mpirun, ended by SIGTERM', '-n 1 --host node1', 'kill -TERM $!', 'SIGTERM'],
])('%s, from inside', (name, options, end, told) => {
  const [program = ''] = name.split(/\W/);
  /** The status of the hop, whether the program on the other node is gone, and the signal that it got. */
  const finish = async (where: From | 'bare'): Promise<string> => {
    const words = options.replace('CONFIG', far.sshd.config).replace('--host node1', where === 'bare' ? '' : '$&');
    const [start, python] =
      where === 'bare' ? [`/usr/bin/${program}`, '/usr/bin/python3'] : [named(where, program), named(where, 'python3')];
    await writeFile(
      path.join(home, 'line'),
      `rm -f told; : >told; : >said
${start} ${words} ${python} ${home}/teller.py ${home}/work/told </dev/null >said 2>&1 &
for ((i = 0; i < 1000; i++)); do grep -q 'it is up' said && break; sleep 0.05; done
${end}
wait $!; status=$?
pid=$(tr -d '\\r' <said | sed -n 's/^it is up //p')
for ((i = 0; i < 1000; i++)); do [[ -e /proc/$pid ]] && sleep 0.05; done
[[ -e /proc/$pid ]] && gone=no || gone=yes
cat said >&2
echo "status=$status gone=$gone told=$(cat told)"\n`,
    );
    const line = `bash ${home}/line`;
    const { stdout, stderr } = await far.run(where === 'bare' ? line : from(where, line));
    return stdout.startsWith('status=') ? stdout : stderr;
  };

  test('the program ends by the signal that it gets without the environment, and the caller has that status', async () => {
    await writeFile(path.join(home, 'teller.py'), TELLER);
    const bare = await finish('bare');
    expect(bare).toMatch(new RegExp(`^status=\\d+ gone=yes told=${told}$`));
    expect(await finish('inside')).toBe(bare);
  });
});

describe('ssh', () => {
  const ssh = (command: string, host = 'node1'): Promise<Ran> =>
    far.run(from('host with module', `ssh -F ${far.sshd.config} ${host} ${command}`));
  const which = `python3 -c "import sys; print(sys.prefix)"`;

  test.each(['/bin/bash', '/bin/dash', '/usr/bin/zsh', '/usr/bin/tcsh', '/usr/bin/fish'])(
    'to a login shell %s takes any command, as that shell reads it',
    async (shell) => {
      await far.sshd.setShell(shell);
      const text = `python3 -c "import sys; print(sys.prefix, sys.argv[1:])" "a  b" 'c  $HOME'`;
      const { stdout, stderr } = await ssh(`'${text.replaceAll("'", `'\\''`)}'`);
      await far.sshd.setShell('/bin/bash');

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
    const config = `-F ${far.sshd.config}`;
    const { exitCode, stdout, stderr } = await far.run(
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
      const { exitCode, stderr } = await far.run(from(where, `sbatch -W -o out ${home}/job.py`));
      const out = await far.run('cat out');

      expect([exitCode, out.stdout.trim()], stderr).toEqual([0, `${PREFIX} ${home}/work\n${PREFIX}`]);
    }
  });
  test('srun takes the path of a program in the image to where the image is not', async () => {
    const { stdout, stderr } = await far.run(
      from('inside', `srun -n 2 ${PREFIX}/bin/python3 -c 'import sys; print(sys.prefix)'`),
    );

    expect(stdout, stderr).toBe(`${PREFIX}\n${PREFIX}`);
  });
  test('a step of several programs, on two nodes, has each of them in the release', async () => {
    const where = `-c 'import os, sys; print(sys.prefix, os.environ["SLURMD_NODENAME"], *sys.argv[1:])'`;
    const python = `${PREFIX}/bin/python3`;
    const { stdout, stderr } = await far.run(
      from('inside', `srun -n 1 ${python} ${where} one : -n 1 ${python} ${where} two`),
    );

    expect(stdout.split('\n').sort(), stderr).toEqual([`${PREFIX} slurm1 one`, `${PREFIX} slurm2 two`]);
  });
  test('the end of the job that started a session leaves the programs of another job in theirs', async () => {
    const write = (name: string, code: string): Promise<void> =>
      writeFile(
        path.join(home, name),
        `#!${farm('python3')}\nimport os, sys, time\ndef wait(name):\n    while not os.path.exists(name): time.sleep(0.05)\n${code}`,
        { mode: 0o755 },
      );
    await write('first.py', `open('started', 'w')\nwait('joined')\n`);
    // What is opened by name fails within some seconds where a session's holder was killed.
    const look = `for _ in range(40):\n    open('${PREFIX}/bin/python3', 'rb').read(1)\n    time.sleep(0.1)\n`;
    await write('second.py', `open('joined', 'w')\nwait('ended')\n${look}print('unharmed')\n`);
    const first = far.run(`srun -w slurm1 ${home}/first.py`);
    const second = far.run(`until [[ -e started ]]; do sleep 0.05; done; srun -w slurm1 ${home}/second.py`);
    expect((await first).exitCode).toBe(0);
    await writeFile(path.join(home, 'work/ended'), '');

    expect(await second).toMatchObject({ exitCode: 0, stdout: 'unharmed' });
  });
});

describe("MPICH's hydra", () => {
  test('starts ranks in the release on other nodes by ssh, from the host with the module and from inside', async () => {
    const launcher = path.join(home, 'bin/ssh-with-config');
    await writeFile(launcher, `#!/bin/bash\nexec ssh -F ${far.sshd.config} "$@"\n`, { mode: 0o755 });
    const code = `import os, sys; print(sys.prefix, os.environ["CONDENSE_RELEASE"], os.environ["PMI_RANK"])`;
    for (const where of ['host with module', 'inside'] as const) {
      const start = `mpiexec.hydra -launcher ssh -launcher-exec ${launcher} -hosts node1 -n 2 python3 -c '${code}'`;
      const { stdout, stderr } = await far.run(from(where, start));

      expect(stdout.split('\n').sort(), stderr).toEqual(
        ['0', '1'].map((rank) => `${PREFIX} far-1/${far.first} ${rank}`),
      );
    }
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
      const { stdout, stderr } = await far.run(
        from(where, `${named(where, 'mpirun')} -n 3 ${only} ${named(where, 'python3')} ${home}/ranks.py`),
      );

      expect(stdout.split('\n').sort(), stderr).toEqual(['3 1 of rank 0 1', '3 1 of rank 1 2', '3 1 of rank 2 0']);
    },
  );
});

describe('gc', () => {
  test('keeps what a job that runs may have loaded, as squeue says, and no longer', async () => {
    const plan = async (): Promise<string> =>
      (await far.site.start(['gc', '--dry-run'], { SLURM_CONF: far.slurm.conf })).stdout;
    const { stdout: job } = await far.run(`sbatch --parsable -o /dev/null --wrap 'sleep 100'`);
    await far.run(`until [[ $(squeue -h -j ${job} -o %T) = RUNNING ]]; do sleep 0.1; done`);
    await far.site.condenseOk('rollback', 'far');

    expect(await plan()).toContain(`and job ${job} runs that was submitted ${new Date().toISOString().slice(0, 8)}`);
    await far.run(`scancel ${job}; until [[ -z $(squeue -h -j ${job}) ]]; do sleep 0.1; done`);
    expect(await plan()).not.toContain('that was submitted');
  });
});

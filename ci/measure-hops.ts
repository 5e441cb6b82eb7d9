// `npm run bench:hops`: what the environment costs on the way to another node, beside the same hop without it: ssh and
// srun to loopback, and mpirun of 8 ranks beside the host's own (docs/performance.md says what the figures mean).
//   node ci/measure-hops.ts [--rounds <number>]
import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { execa } from 'execa';
import { ensureTestChannel } from '../test/channel/make-channel.ts';
import { startSlurm, startSshd } from '../test/e2e/daemons.ts';
import { TestSite } from '../test/e2e/test-site.ts';
import { renderTable } from './measure-build.ts';
import { asOrdinaryUser, makeHome } from './ordinary-user.ts';

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '15' } } });
const rounds = Number(values.rounds);
const site = await TestSite.make();
const home = await makeHome();
const { dir } = await ensureTestChannel();
await site.writeConfig(`  far: { version: '1', stable: '1', outside_commands: [ssh, srun], ssh_hosts: [node1] }\n`);
await site.writeSpec('far', [pathToFileURL(dir).href], ['python', 'mpi4py', 'openmpi']);
await site.condenseOk('install', 'far');
const sshd = await startSshd(path.join(site.dir, 'sshd'), home);
const slurm = await startSlurm(path.join(site.dir, 'slurm'));
await mkdir(path.join(home, 'x'));
const release = (await site.liveRelease('far-1')) ?? '';
const farm = (name: string): string => site.scripts('far', `bin/${name}`);
const env = {
  HOME: home,
  SHELL: '/bin/bash',
  SLURM_CONF: slurm.conf,
  CONDENSE_RELEASE: `far-1/${release}`,
  PATH: `${path.dirname(farm('x'))}:/usr/local/bin:/usr/bin:/bin`,
};

async function measure(command: readonly string[]): Promise<number> {
  const [program = '', ...args] = asOrdinaryUser(command);
  const began = performance.now();
  await execa(program, args, { cwd: home, env, extendEnv: false, stdin: 'ignore' });
  return performance.now() - began;
}

const ssh = ['-F', sshd.config];
const rank = 'from mpi4py import MPI; MPI.COMM_WORLD.Barrier()';
const mpi = ['-n', '8', '--oversubscribe'];
const commands: Readonly<Record<string, readonly string[]>> = {
  'ssh node /usr/bin/true, bare': ['/usr/bin/ssh', ...ssh, 'node1', '/usr/bin/true'],
  'the same by the farm, not carried': [farm('ssh'), ...ssh, 'node1', '/usr/bin/true'],
  'ssh node <farm>/python3, bare ssh': ['/usr/bin/ssh', ...ssh, 'node1', farm('python3'), '-Sc', 'pass'],
  'ssh node python3 by the farm, carried': [farm('ssh'), ...ssh, 'node1', `python3 -Sc pass`],
  'srun /usr/bin/true, bare': ['/usr/bin/srun', '/usr/bin/true'],
  'the same by the farm': [farm('srun'), '/usr/bin/true'],
  'srun /usr/bin/python3, bare': ['/usr/bin/srun', '/usr/bin/python3', '-ISc', 'pass'],
  'bare srun of <farm>/python3': ['/usr/bin/srun', farm('python3'), '-ISc', 'pass'],
  'mpirun of 8 ranks, the host': ['/usr/bin/mpirun', ...mpi, '/usr/bin/python3', '-c', rank],
  'mpirun of 8 ranks, the farm': [farm('mpirun'), ...mpi, farm('python3'), '-c', rank],
};
try {
  const times = new Map(Object.keys(commands).map((name) => [name, [] as number[]]));
  // In turn, so that what else the machine does hits all alike; the first round warms up.
  for (let round = 0; round <= rounds; round++) {
    for (const [name, command] of Object.entries(commands)) {
      const ms = await measure(command);
      if (round > 0) times.get(name)?.push(ms);
    }
  }
  const rows = [...times].map(([name, all]) => {
    const sorted = all.toSorted((a, b) => a - b);
    const at = (share: number): string => (sorted[Math.floor(share * (sorted.length - 1))] ?? 0).toFixed(0);
    return [name, at(0.5), at(0.25), at(0.75)];
  });
  process.stdout.write(`${renderTable(['hop', 'median, ms', 'first quartile', 'third quartile'], rows)}\n`);
} finally {
  await slurm.stop();
  await sshd.stop();
  await site.remove();
  await rm(home, { recursive: true, force: true });
}

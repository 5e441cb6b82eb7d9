// Real daemons on loopback for tests, each with a configuration of its own in a temp directory and on a free port.
// When the tests run as root, sshd runs as the ordinary user, for whom nss_wrapper's passwd file has a home and a shell.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, mkdir, readFile, writeFile } from 'node:fs/promises';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { asOrdinaryUser } from '../../ci/ordinary-user.ts';

const isRoot = process.getuid?.() === 0;
const UID = isRoot ? 65534 : os.userInfo().uid;
const GID = isRoot ? 65534 : os.userInfo().gid;
const USER = isRoot ? 'nobody' : os.userInfo().username;

/** Nobody listens there at the moment. */
export async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  server.close();
  return port;
}

async function until(what: string, log: string, isSo: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 300; tries++) {
    if (await isSo()) return;
    await sleep(100);
  }
  throw new Error(`${what} does not answer:\n${await readFile(log, 'utf8').catch(() => '')}`);
}

function start(command: readonly string[], env: Readonly<Record<string, string>> = {}): ChildProcess {
  const [program = '', ...args] = command;
  return spawn(program, args, { stdio: 'ignore', env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', ...env } });
}

async function stop(children: readonly ChildProcess[]): Promise<void> {
  for (const child of children.filter((one) => one.exitCode === null && one.signalCode === null)) {
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    await ended;
  }
}

export interface Sshd {
  /** For `ssh -F`: the hosts node1 and elsewhere are this machine. */
  readonly config: string;
  /** The login shell of the next connections. */
  readonly setShell: (program: string) => Promise<void>;
  readonly stop: () => Promise<void>;
}

/** @param home of the user who may log in: the ordinary one */
export async function startSshd(dir: string, home: string): Promise<Sshd> {
  await mkdir(dir);
  const file = (name: string): string => path.join(dir, name);
  const passwd = file('passwd');
  const setShell = (program: string): Promise<void> =>
    writeFile(
      passwd,
      `${USER}:x:${UID}:${GID}::${home}:${program}\nsshd:x:64999:${GID}::/run/sshd:/usr/sbin/nologin\n`,
    );
  const port = await freePort();
  for (const key of ['host-key', 'user-key'])
    await execa('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', file(key)]);
  await writeFile(
    file('sshd_config'),
    `Port ${port}
ListenAddress 127.0.0.1
HostKey ${file('host-key')}
AuthorizedKeysFile ${file('user-key.pub')}
StrictModes no
UsePAM no
PasswordAuthentication no
PidFile none
MaxStartups 100
Subsystem sftp /usr/lib/openssh/sftp-server
`,
  );
  await writeFile(
    file('config'),
    `Host node1 elsewhere
  HostName 127.0.0.1
  Port ${port}
  User ${USER}
  IdentityFile ${file('user-key')}
  IdentitiesOnly yes
  UserKnownHostsFile ${file('known-hosts')}
  StrictHostKeyChecking no
  LogLevel ERROR
`,
  );
  await writeFile(file('group'), `users:x:${GID}:\n`);
  await setShell('/bin/bash');
  for (const name of ['', 'host-key', 'user-key', 'user-key.pub', 'config', 'sshd_config', 'passwd', 'group'])
    if (isRoot) await chown(file(name), UID, GID);
  const wrapper = { LD_PRELOAD: 'libnss_wrapper.so', NSS_WRAPPER_PASSWD: passwd, NSS_WRAPPER_GROUP: file('group') };
  const daemon = start(
    asOrdinaryUser([
      ...['env', ...Object.entries(wrapper).map(([name, value]) => `${name}=${value}`)],
      ...['/usr/sbin/sshd', '-D', '-E', file('log'), '-f', file('sshd_config')],
    ]),
  );
  await until('sshd', file('log'), async () => {
    const answer = await execa('ssh', ['-F', file('config'), 'node1', 'true'], { reject: false, timeout: 10_000 });
    return answer.exitCode === 0;
  });
  return { config: file('config'), setShell, stop: () => stop([daemon]) };
}

/** A step of several programs needs a node for each. */
const NODES = ['slurm1', 'slurm2'];

export interface Slurm {
  /** SLURM_CONF */
  readonly conf: string;
  readonly stop: () => Promise<void>;
}

/**
 * Two nodes, which are both this machine, with two processors each; as root where the tests run as root.
 * @param bound one node instead, whose jobs get processors of their own and may run on no other, as on a real cluster
 */
export async function startSlurm(dir: string, { bound = false } = {}): Promise<Slurm> {
  const nodeNames = bound ? NODES.slice(0, 1) : NODES;
  const file = (name: string): string => path.join(dir, name);
  for (const each of ['', 'munge', 'state', ...NODES]) await mkdir(file(each));
  await writeFile(file('munge/key'), crypto.getRandomValues(new Uint8Array(1024)), { mode: 0o600 });
  // The socket is for everybody.
  await chmod(file('munge'), 0o755);
  const munged = start([
    ...['munged', '--force', '--foreground', `--key-file=${file('munge/key')}`, `--socket=${file('munge/socket')}`],
    ...[`--pid-file=${file('munge/pid')}`, `--log-file=${file('munge/log')}`, `--seed-file=${file('munge/seed')}`],
  ]);
  const children = [munged];
  await until('munged', file('munge/log'), async () => {
    const answer = await execa('munge', ['-S', file('munge/socket'), '-n'], { reject: false });
    return answer.exitCode === 0;
  });
  const host = os.hostname().split('.', 1)[0] ?? '';
  const user = isRoot ? 'root' : USER;
  const nodes = await Promise.all(
    nodeNames.map(
      async (name) =>
        `NodeName=${name} NodeHostname=${host} NodeAddr=127.0.0.1 Port=${await freePort()} CPUs=2 State=UNKNOWN`,
    ),
  );
  await writeFile(
    file('slurm.conf'),
    `ClusterName=condense
SlurmctldHost=${host}(127.0.0.1)
SlurmctldPort=${await freePort()}
AuthType=auth/munge
AuthInfo=socket=${file('munge/socket')}
SlurmUser=${user}
SlurmdUser=${user}
StateSaveLocation=${file('state')}
SlurmdSpoolDir=${file('%n')}
SlurmctldPidFile=${file('slurmctld.pid')}
SlurmdPidFile=${file('%n/pid')}
SlurmctldLogFile=${file('slurmctld.log')}
SlurmdLogFile=${file('%n/log')}
ProctrackType=proctrack/linuxproc
TaskPlugin=task/${bound ? 'affinity' : 'none'}
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
# Steps of several programs are placed by the backfill scheduler alone, which looks twice a minute by default.
SchedulerParameters=bf_interval=1
MpiDefault=none
ReturnToService=2
${nodes.join('\n')}
PartitionName=test Nodes=ALL Default=YES State=UP OverSubscribe=${bound ? 'NO' : 'FORCE:8'}
`,
  );
  const env = { SLURM_CONF: file('slurm.conf') };
  children.push(start(['slurmctld', '-D'], env), ...nodeNames.map((name) => start(['slurmd', '-D', '-N', name], env)));
  await until('slurmd', file('slurmctld.log'), async () => {
    const answer = await execa('sinfo', ['-h', '-o', '%T %D'], { env, reject: false });
    return answer.stdout === `idle ${nodeNames.length}`;
  });
  return { conf: file('slurm.conf'), stop: () => stop(children.toReversed()) };
}

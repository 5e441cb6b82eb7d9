// A site with the daemons that take its commands elsewhere, on loopback: sshd, Slurm, a stand-in for pbs_tmrsh. The user
// has loaded the module of an older release than the one that is live, so that it shows which of them a command is in.
import { chmod, copyFile, mkdir, realpath, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { execa } from 'execa';
import { asOrdinaryUser, makeHome } from '../../ci/ordinary-user.ts';
import { ensureTestChannel } from '../channel/make-channel.ts';
import { startSlurm, startSshd, type Slurm, type Sshd } from './daemons.ts';
import { TestSite } from './test-site.ts';

export interface Ran {
  readonly exitCode: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

export interface FarSite {
  readonly site: TestSite;
  /** Of the ordinary user; commands are run in `work` below it. */
  readonly home: string;
  readonly sshd: Sshd;
  readonly slurm: Slurm;
  /** The older release of `far-1`. */
  readonly first: string;
  /** Bind mounts with which a container shows the runtime. */
  readonly binds: readonly string[];
  /** Of a login on the first node. */
  readonly env: Readonly<Record<string, string>>;
  readonly run: (script: string, input?: string) => Promise<Ran>;
  readonly remove: () => Promise<void>;
}

const BINDS = ['/etc', '/usr', '/var', '/run', '/sys/fs/cgroup'];

/**
 * The environment `far`: its older release has pip, the live one has not. `near` has Python alone.
 * `~/loaded` gives a shell what it has in a job that loaded the older release of `far`.
 */
export async function makeFarSite(): Promise<FarSite> {
  const site = await TestSite.make();
  const home = await makeHome();
  const channel = pathToFileURL((await ensureTestChannel()).dir).href;
  const binds = [...BINDS, ...(await runtimeDirectory())];
  const outside = 'outside_commands: [ssh, pbs_tmrsh, srun, sbatch, perl], ssh_hosts: ["node?"]';
  await site.writeConfig(
    `  far: { version: '1', stable: '1', ${outside} }\n  near: { version: '1', stable: '1', ${outside} }\n`,
    `binds: { run: [${binds.join(', ')}] }\n`,
  );
  const packages = ['python', 'mpi4py', 'openmpi', 'openssh'];
  await site.writeSpec('near', [channel], ['python']);
  await site.writeSpec('far', [channel], [...packages, 'pip']);
  await site.condenseOk('install', 'near');
  await site.condenseOk('install', 'far');
  const first = (await site.liveRelease('far-1')) ?? '';
  const sshd = await startSshd(path.join(site.dir, 'sshd'), home);
  const slurm = await startSlurm(path.join(site.dir, 'slurm'));
  for (const name of ['work', 'bin']) {
    await mkdir(path.join(home, name));
    await chmod(path.join(home, name), 0o777);
  }
  await copyFile(path.join(import.meta.dirname, 'pbs-tmrsh-stand-in.sh'), path.join(home, 'bin/pbs_tmrsh'));
  const env = {
    HOME: home,
    PATH: `/usr/local/bin:/usr/bin:/bin:${home}/bin`,
    SHELL: '/bin/bash',
    SLURM_CONF: slurm.conf,
    SECRET: 'not to be seen',
    OMPI_MCA_plm_rsh_args: `-F ${sshd.config}`,
    OMPI_MCA_rmaps_base_oversubscribe: '1',
  };
  const run = async (script: string, input = ''): Promise<Ran> => {
    const [program = '', ...args] = asOrdinaryUser(['bash', '-c', script]);
    const { exitCode, stdout, stderr } = await execa(program, args, {
      cwd: path.join(home, 'work'),
      input,
      reject: false,
      extendEnv: false,
      timeout: 170_000,
      env,
    });
    return { exitCode, stdout, stderr };
  };
  const load = `. /etc/profile.d/modules.sh; module use ${site.modules}; module load conda/far || exit 99`;
  await writeFile(path.join(home, 'loaded'), (await run(`${load}; export -p`)).stdout);
  await site.writeSpec('far', [channel], packages);
  await site.condenseOk('install', 'far');
  const remove = async (): Promise<void> => {
    await slurm.stop();
    await sshd.stop();
    await site.remove();
    await rm(home, { recursive: true, force: true });
  };
  return { site, home, sshd, slurm, first, binds, env, run, remove };
}

/** What it consists of, where /usr does not show it. */
async function runtimeDirectory(): Promise<string[]> {
  const { stdout } = await execa('sh', ['-c', 'command -v apptainer || command -v singularity']);
  const directory = path.dirname(path.dirname(await realpath(stdout)));
  return directory.startsWith('/usr') ? [] : [directory];
}

// Makes a small but real release in a temporary directory: a squashfs image with a few programs, a base container built
// by the runtime, the launcher with its farm. Also starts programs in it with exact bytes.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { buildPlanner } from '../../../launcher/build.ts';
import { renderEnterProgram } from '../../../launcher/enter-program.ts';
import type { LauncherFacts, SessionFacts } from '../../../launcher/facts.ts';
import { renderLauncher } from '../../../launcher/render.ts';

const here = import.meta.dirname;

export interface TestRelease {
  readonly dir: string;
  readonly facts: LauncherFacts;
  /** The release's own directory. */
  readonly release: string;
  /** `<dir>/site/apps/scripts/test-1.0.d/bin` */
  readonly farm: string;
  readonly launcher: string;
  readonly probe: string;
}

const DEFINITION = `Bootstrap: scratch
%setup
  cd "$APPTAINER_ROOTFS"
  mkdir -p etc usr var run opt/conda tmp proc sys dev root home
  for name in bin lib lib64 sbin; do ln -s usr/$name $name; done
`;

const COMMANDS = ['probe', 'python3', 'python', 'bash', 'cat'];
/** A script whose first line names the python of the image. */
const ENTRY_POINT = 'entry';

/**
 * @param standIn instead of the runtime that PATH has: runtime-stand-in.sh, with the programs on the host's disk
 * @param name of the environment, `test` in `test-1.0`
 */
export async function makeRelease({
  standIn = false,
  name = 'test',
  sessions,
  besides = {},
}: {
  readonly standIn?: boolean;
  readonly name?: string;
  readonly sessions?: Pick<SessionFacts, 'policy' | 'idleSeconds'>;
  readonly besides?: Partial<
    Pick<LauncherFacts, 'inherit' | 'binds' | 'outsideCommands' | 'sshHosts' | 'moduleVariables'>
  >;
} = {}): Promise<TestRelease> {
  const id = '20261121T000000Z-00000001';
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'condense-launcher-'));
  fs.chmodSync(dir, 0o755);
  const fullName = `${name}-1.0`;
  const store = path.join(dir, 'site/apps/condense');
  const releasesDir = path.join(store, 'releases', fullName);
  const release = path.join(releasesDir, id);
  const node = path.join(store, 'runtime/node');
  fs.mkdirSync(path.join(release, 'bin'), { recursive: true });
  fs.mkdirSync(path.dirname(node), { recursive: true });
  // Ordinary users may not reach the checkout.
  fs.copyFileSync(process.execPath, node, fs.constants.COPYFILE_FICLONE);
  const runtime = standIn
    ? path.join(dir, 'runtime-stand-in.sh')
    : (await execa('sh', ['-c', 'command -v apptainer || command -v singularity'])).stdout;
  const condaPrefix = standIn ? path.join(dir, 'opt/conda', fullName) : `/opt/conda/${fullName}`;
  const facts: LauncherFacts = {
    fullName,
    condaPrefix,
    marker: `${condaPrefix}/.condense`,
    releasesDir,
    releaseId: id,
    base: path.join(store, 'base.sif'),
    runtime,
    node,
    binds: ['/etc', '/usr', '/var', '/run', '/nowhere-on-this-machine'],
    farmRoots: [path.join(dir, 'site/apps/scripts'), store],
    outsideCommands: ['ssh'],
    usersGroup: 'climate',
    ...(sessions
      ? {
          sessions: {
            ...sessions,
            directory: path.join(dir, 'tmp'),
            nsenter: '/usr/bin/nsenter',
            enter: `${release}/enter`,
          },
        }
      : {}),
    ...besides,
  };
  if (sessions) fs.writeFileSync(`${release}/enter`, renderEnterProgram(), { mode: 0o755 });
  fs.mkdirSync(path.join(dir, 'tmp'));
  fs.chmodSync(path.join(dir, 'tmp'), 0o1777);
  if (standIn) {
    writePrograms(path.join(condaPrefix, 'bin'), condaPrefix);
    fs.writeFileSync(path.join(release, 'env.sqsh'), '');
    fs.writeFileSync(facts.base, '');
    fs.copyFileSync(path.join(here, 'runtime-stand-in.sh'), runtime);
    fs.chmodSync(runtime, 0o755);
    fs.chmodSync(dir, 0o777);
  } else {
    await writeOnce(path.join(release, 'env.sqsh'), condaPrefix, (file) => writeImage(file, condaPrefix));
    await writeOnce(facts.base, 'base', async (file) => {
      fs.writeFileSync(`${file}.def`, DEFINITION);
      await execa(runtime, ['build', file, `${file}.def`]);
    });
  }
  planner ??= buildPlanner();
  writeLauncher(path.join(release, 'launcher'), facts, await planner);
  for (const command of [...new Set([...COMMANDS, ENTRY_POINT, 'ssh', 'absent', 'data', ...facts.outsideCommands])]) {
    fs.symlinkSync('../launcher', path.join(release, 'bin', command));
  }
  fs.mkdirSync(path.join(dir, 'site/apps/scripts'));
  fs.symlinkSync(release, path.join(dir, `site/apps/scripts/${fullName}.d`));
  for (const script of ['probe.pl', 'start.pl']) fs.copyFileSync(path.join(here, script), path.join(dir, script));
  return {
    dir,
    facts,
    release,
    farm: path.join(dir, `site/apps/scripts/${fullName}.d/bin`),
    launcher: path.join(release, 'launcher'),
    probe: path.join(dir, 'probe.pl'),
  };
}

let planner: Promise<string> | undefined;
const made = new Map<string, { readonly bytes: Buffer; readonly mode: number }>();

/** For tests that have a release each: what is the same in all of a test file takes seconds to make. */
async function writeOnce(file: string, what: string, write: (file: string) => Promise<void>): Promise<void> {
  const same = made.get(what);
  if (same) {
    fs.writeFileSync(file, same.bytes);
    fs.chmodSync(file, same.mode);
    return;
  }
  await write(file);
  made.set(what, { bytes: fs.readFileSync(file), mode: fs.statSync(file).mode & 0o7777 });
}

export function writeLauncher(file: string, facts: LauncherFacts, planner: string, deferAll = false): void {
  fs.writeFileSync(file, renderLauncher(facts, planner, { deferAll }));
  fs.chmodSync(file, 0o755);
}

/** Copies of the host's perl, cat and bash under other names: real binaries that need only the host's libraries. */
function writePrograms(bin: string, prefix: string): void {
  fs.mkdirSync(bin, { recursive: true });
  fs.writeFileSync(path.join(bin, 'data'), 'not a program\n');
  fs.writeFileSync(path.join(bin, ENTRY_POINT), `#!${prefix}/bin/python3\nprint join '|', 'entry', @ARGV;\n`);
  fs.chmodSync(path.join(bin, ENTRY_POINT), 0o755);
  for (const command of COMMANDS) {
    const source = { bash: '/bin/bash', cat: '/bin/cat' }[command] ?? '/usr/bin/perl';
    fs.copyFileSync(source, path.join(bin, command));
    fs.chmodSync(path.join(bin, command), 0o755);
  }
}

async function writeImage(file: string, prefix: string): Promise<void> {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'condense-image-'));
  // The container's root gets the mode of the image's.
  fs.chmodSync(root, 0o755);
  writePrograms(path.join(root, prefix, 'bin'), prefix);
  fs.writeFileSync(path.join(root, prefix, '.condense'), '');
  await execa('mksquashfs', [root, file, '-noappend', '-quiet', '-all-root', '-no-progress']);
  fs.rmSync(root, { recursive: true });
}

export interface Start {
  readonly program: string;
  readonly zero?: string;
  /** Bytes as latin1, here and in the environment. */
  readonly args?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Shell text that goes before, in bash: limits, traps, descriptors. */
  readonly before?: string;
  readonly asRoot?: boolean;
}
export interface Outcome {
  readonly status: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Becomes the program by way of bash and start.pl; as an ordinary user when this is root. */
export function start(release: TestRelease, wanted: Start): Outcome {
  const hex = (bytes: string): string => Buffer.from(bytes, 'latin1').toString('hex');
  const lines = [
    `p${hex(wanted.program)}`,
    ...(wanted.zero === undefined ? [] : [`z${hex(wanted.zero)}`]),
    ...(wanted.args ?? []).map((arg) => `a${hex(arg)}`),
    ...Object.entries(wanted.environment ?? {}).map(([name, value]) => `e${hex(`${name}=${value}`)}`),
  ];
  const isRoot = process.getuid?.() === 0 && wanted.asRoot !== true;
  const result = spawnSync(
    '/bin/bash',
    ['--norc', '-c', `${wanted.before ?? ''}\nexec /usr/bin/perl "$0"`, path.join(release.dir, 'start.pl')],
    {
      cwd: wanted.cwd ?? release.dir,
      input: `${lines.join('\n')}\n`,
      env: { PATH: '/usr/bin:/bin' },
      encoding: 'latin1',
      maxBuffer: 2 ** 28,
      // A test that hangs fails, also where its time limit cannot end it as here.
      timeout: 90_000,
      ...(isRoot ? { uid: 65534, gid: 65534 } : {}),
    },
  );
  if (result.error !== undefined) throw result.error;
  return { status: result.status, signal: result.signal, stdout: result.stdout, stderr: result.stderr };
}

export interface Probed {
  readonly argv: readonly string[];
  /** Sorted. */
  readonly environ: readonly string[];
  readonly cwd: string;
  readonly fds: readonly number[];
  readonly pid: number;
  readonly ppid: number;
  readonly limits: readonly string[];
  readonly status: readonly string[];
}

/** @throws Error with the outcome, when it is not the probe's output */
export function readProbe(outcome: Outcome): Probed {
  if (outcome.status !== 0) throw new Error(`no probe: ${JSON.stringify(outcome)}`);
  const text = (hex: string): string => Buffer.from(hex, 'hex').toString('latin1');
  const raw = JSON.parse(outcome.stdout) as Probed;
  return {
    ...raw,
    argv: raw.argv.map(text).slice(0, -1),
    environ: raw.environ.map(text).sort(),
    cwd: text(raw.cwd),
    limits: raw.limits.map(text),
    status: raw.status.map(text),
  };
}

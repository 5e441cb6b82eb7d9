// Whether this machine can build, publish and launch: what was looked at, what was found, and how to mend it.
import path from 'node:path';
import type { SiteConfig } from '../config/site-config.ts';
import { AppError } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import { canWrite, lstatIfThere, readText, stat, statfs } from '../system/files.ts';
import { findProgram } from '../system/find-program.ts';
import { runCommand } from '../system/run-command.ts';
import { isMember, readAccessPolicy } from './permissions.ts';
import { readRuntime } from './runtime.ts';

export interface Finding {
  readonly name: string;
  readonly status: 'ok' | 'warning' | 'failure';
  readonly found: string;
  /** What to do; only where something is to be done. */
  readonly fix?: string | undefined;
}

/** One program that condense or the runtime starts. */
interface ProgramCheck {
  readonly program: string;
  readonly why: string;
  readonly package: string;
  readonly required: boolean;
  readonly version?: {
    readonly args: readonly string[];
    readonly pattern: RegExp;
    readonly atLeast: readonly number[];
  };
}

const PROGRAMS: readonly ProgramCheck[] = [
  {
    program: 'mksquashfs',
    why: 'packs images',
    package: 'squashfs-tools',
    required: true,
    // zstd came with 4.4, and with it reproducible images.
    version: { args: ['-version'], pattern: /version (\d+)\.(\d+)/, atLeast: [4, 4] },
  },
  { program: 'unsquashfs', why: 'verifies images', package: 'squashfs-tools', required: true },
  { program: 'bzip2', why: 'reads .tar.bz2 packages', package: 'bzip2', required: true },
  { program: 'getent', why: 'looks up groups', package: 'libc-bin', required: true },
  { program: 'git', why: 'records the commit of a release', package: 'git', required: false },
  {
    program: 'bash',
    why: 'runs the launcher',
    package: 'bash',
    required: true,
    version: { args: ['--version'], pattern: /version (\d+)\.(\d+)/, atLeast: [4, 4] },
  },
  { program: 'newuidmap', why: 'lets users of /etc/subuid build the base', package: 'uidmap', required: false },
  { program: 'squashfuse', why: 'mounts images for users', package: 'squashfuse', required: false },
  {
    program: 'fuse-overlayfs',
    why: 'stacks images for users on kernels without unprivileged overlay',
    package: 'fuse-overlayfs',
    required: false,
  },
];

export async function probeSite(config: SiteConfig): Promise<Finding[]> {
  const findings = [
    await probeRuntime(config),
    ...(await Promise.all(PROGRAMS.map(probeProgram))),
    await probeModules(),
    await probeUserNamespaces(),
    await probeFuse(),
    await probeOverlay(),
    await probeGroup(config, config.groups.users),
    await probeGroup(config, config.groups.owners),
    ...(await Promise.all(
      [
        { name: 'prefix', dir: config.prefix, needBytes: 20e9 },
        { name: 'admin_dir', dir: config.adminDir, needBytes: 20e9 },
        { name: 'staging_dir', dir: config.stagingDir, needBytes: 30e9 },
      ].map(probeDirectory),
    )),
  ];
  return findings.filter((finding) => finding !== undefined);
}

/**
 * What a build would only find missing after minutes of work.
 * @throws AppError TOOL_MISSING (exit 4), each program a problem of its own
 */
export async function checkPrograms(): Promise<void> {
  const problems = [];
  for (const check of PROGRAMS.filter(({ required }) => required)) {
    if ((await findProgram(check.program)) !== undefined) continue;
    problems.push({
      code: 'TOOL_MISSING',
      message: `${check.program} is not on PATH; it ${check.why}`,
      hint: `apt-get install ${check.package}`,
    });
  }
  if (problems.length > 0) throw new AppError(EXIT.siteNotReady, problems);
}

async function probeRuntime(config: SiteConfig): Promise<Finding> {
  try {
    const runtime = await readRuntime(config);
    return { name: 'container runtime', status: 'ok', found: `${runtime.version} (${runtime.program})` };
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    const [problem] = error.problems;
    return { name: 'container runtime', status: 'failure', found: error.message, fix: problem?.hint };
  }
}

async function probeProgram(check: ProgramCheck): Promise<Finding> {
  const at = await findProgram(check.program);
  const fix = `apt-get install ${check.package}   (${check.program} ${check.why})`;
  const bad = check.required ? 'failure' : 'warning';
  if (at === undefined) return { name: check.program, status: bad, found: 'not on PATH', fix };
  if (!check.version) return { name: check.program, status: 'ok', found: at };
  const { stdout } = await runCommand({ program: at, args: check.version.args, okExitCodes: [0, 1] });
  const match = check.version.pattern.exec(stdout.toString('utf8'));
  const version = match?.slice(1).map(Number) ?? [];
  const enough = compareVersions(version, check.version.atLeast) >= 0;
  return {
    name: check.program,
    status: enough ? 'ok' : bad,
    found: `${version.join('.') || 'unknown version'} (${at})`,
    ...(enough ? {} : { fix: `${check.program} ${check.version.atLeast.join('.')} or later is needed: ${fix}` }),
  };
}

/** Negative, zero or positive; missing parts count as lower. */
function compareVersions(a: readonly number[], b: readonly number[]): number {
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const difference = (a[i] ?? -1) - (b[i] ?? -1);
    if (difference !== 0) return difference;
  }
  return 0;
}

async function probeModules(): Promise<Finding> {
  const found = process.env['LMOD_CMD'] ?? process.env['MODULESHOME'] ?? (await findProgram('modulecmd'));
  if (found !== undefined) return { name: 'environment modules', status: 'ok', found };
  return {
    name: 'environment modules',
    status: 'warning',
    found: 'neither Environment Modules nor Lmod seen from here',
    fix: 'apt-get install environment-modules   (users need it on the nodes; building does not)',
  };
}

async function readNumber(file: string): Promise<number | undefined> {
  return (await lstatIfThere(file)) ? Number(await readText(file)) : undefined;
}

async function probeUserNamespaces(): Promise<Finding> {
  const most = await readNumber('/proc/sys/user/max_user_namespaces');
  const clone = await readNumber('/proc/sys/kernel/unprivileged_userns_clone');
  const apparmor = await readNumber('/proc/sys/kernel/apparmor_restrict_unprivileged_userns');
  const found = `max_user_namespaces ${most ?? 'unknown'}`;
  if (most === 0)
    return { name: 'user namespaces', status: 'failure', found, fix: 'sysctl -w user.max_user_namespaces=15000' };
  if (clone === 0)
    return {
      name: 'user namespaces',
      status: 'failure',
      found: 'only for root',
      fix: 'sysctl -w kernel.unprivileged_userns_clone=1',
    };
  if (apparmor === 1)
    return {
      name: 'user namespaces',
      status: 'warning',
      found: 'restricted by AppArmor',
      fix: 'install the runtime’s AppArmor profile, or sysctl -w kernel.apparmor_restrict_unprivileged_userns=0',
    };
  return { name: 'user namespaces', status: most === undefined ? 'warning' : 'ok', found };
}

async function probeFuse(): Promise<Finding> {
  const device = (await lstatIfThere('/dev/fuse')) ? await stat('/dev/fuse') : undefined;
  if (!device) return { name: '/dev/fuse', status: 'warning', found: 'missing', fix: 'modprobe fuse' };
  const open = (device.mode & 0o006) === 0o006;
  return {
    name: '/dev/fuse',
    status: open ? 'ok' : 'warning',
    found: `mode ${(device.mode & 0o777).toString(8)}`,
    ...(open
      ? {}
      : { fix: 'chmod 0666 /dev/fuse   (ordinary users mount images through it; a udev rule makes it last)' }),
  };
}

async function probeOverlay(): Promise<Finding> {
  const names = (await readText('/proc/filesystems')).split(/\s+/);
  const missing = ['overlay', 'squashfs'].filter((name) => !names.includes(name));
  return missing.length === 0
    ? { name: 'kernel file systems', status: 'ok', found: 'overlay, squashfs' }
    : {
        name: 'kernel file systems',
        status: 'warning',
        found: `not loaded: ${missing.join(', ')}`,
        fix: missing.map((name) => `modprobe ${name}`).join('; '),
      };
}

async function probeGroup(config: SiteConfig, group: string | undefined): Promise<Finding | undefined> {
  if (group === undefined) return undefined;
  try {
    const { usersGroup } = await readAccessPolicy(group, config.file);
    const member = isMember(usersGroup ?? -1);
    return {
      name: `group ${group}`,
      status: member ? 'ok' : 'failure',
      found: member ? `gid ${usersGroup ?? ''}` : 'this account is not a member',
      ...(member ? {} : { fix: `usermod -aG ${group} "$USER", then log in again` }),
    };
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return { name: `group ${group}`, status: 'failure', found: 'does not exist', fix: `groupadd ${group}` };
  }
}

/** Looks at the nearest directory that exists: a site may not be there yet. */
async function probeDirectory(wanted: {
  readonly name: string;
  readonly dir: string;
  readonly needBytes: number;
}): Promise<Finding> {
  let { dir } = wanted;
  while (!(await lstatIfThere(dir)) && dir !== path.dirname(dir)) dir = path.dirname(dir);
  if (!(await stat(dir)).isDirectory())
    return {
      name: wanted.name,
      status: 'failure',
      found: `${dir} is not a directory`,
      fix: `choose another ${wanted.name}`,
    };
  if (!(await canWrite(dir)))
    return {
      name: wanted.name,
      status: 'failure',
      found: `${dir} cannot be written by this account`,
      fix: `chown or chmod ${dir}`,
    };
  const space = await statfs(dir);
  const free = space.bavail * space.bsize;
  const found = `${wanted.dir}: ${(free / 1e9).toFixed(0)} GB free, ${space.ffree} inodes free`;
  const enough = free >= wanted.needBytes;
  return {
    name: wanted.name,
    status: enough ? 'ok' : 'warning',
    found,
    ...(enough ? {} : { fix: `a large environment needs about ${(wanted.needBytes / 1e9).toFixed(0)} GB there` }),
  };
}

// The programs that condense and the container runtime start: which, why, and what package has them.
import { AppError } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import { findProgram } from '../system/find-program.ts';
import { runCommand } from '../system/run-command.ts';
import type { Finding } from './finding.ts';

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

export async function probePrograms(): Promise<Finding[]> {
  return await Promise.all(PROGRAMS.map(probeProgram));
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

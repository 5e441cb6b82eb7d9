// The directories that a site writes to: whether this account can, and how much room there is.
import path from 'node:path';
import { STORE_DIR } from '../config/config-rules.ts';
import type { SiteConfig } from '../config/site-config.ts';
import { AppError, type Problem } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import { canWrite, findNearest, stat, statfs } from '../system/files.ts';
import { describeSystemError } from '../system/system-error.ts';
import type { Finding } from './finding.ts';

interface Directory {
  readonly key: string;
  readonly dir: string;
  /** What a large environment takes there. */
  readonly needBytes: number;
}

/** Of the prefix only what is condense's own: the rest of it may be somebody else's. */
const directoriesOf = (config: SiteConfig): Directory[] => [
  { key: 'prefix', dir: path.join(config.prefix, STORE_DIR), needBytes: 20e9 },
  { key: 'admin_dir', dir: config.adminDir, needBytes: 20e9 },
  { key: 'staging_dir', dir: config.stagingDir, needBytes: 30e9 },
];

export async function probeDirectories(config: SiteConfig): Promise<Finding[]> {
  return await Promise.all(directoriesOf(config).map(probeDirectory));
}

/**
 * What a build would only meet at its last stages.
 * @throws AppError PERMISSION_DENIED or DIRECTORY_INVALID (exit 4), each directory a problem of its own
 */
export async function checkDirectories(config: SiteConfig): Promise<void> {
  const looks = await Promise.all(directoriesOf(config).map(lookAt));
  const problems = looks.map((look) => look.problem).filter((problem) => problem !== undefined);
  if (problems.length > 0) throw new AppError(EXIT.siteNotReady, problems);
}

async function probeDirectory(wanted: Directory): Promise<Finding> {
  const { dir, problem } = await lookAt(wanted);
  if (problem) return { name: wanted.key, status: 'failure', found: `${dir}: ${problem.message}`, fix: problem.hint };
  const space = await statfs(dir);
  const free = space.bavail * space.bsize;
  const enough = free >= wanted.needBytes;
  return {
    name: wanted.key,
    status: enough ? 'ok' : 'warning',
    found: `${wanted.dir}: ${(free / 1e9).toFixed(0)} GB free, ${space.ffree} inodes free`,
    ...(enough ? {} : { fix: `a large environment needs about ${(wanted.needBytes / 1e9).toFixed(0)} GB there` }),
  };
}

/** Looks at the nearest directory that exists: a site may not be there yet. */
async function lookAt(wanted: Directory): Promise<{ readonly dir: string; readonly problem?: Problem | undefined }> {
  let { dir } = wanted;
  try {
    dir = await findNearest(dir);
    if (!(await stat(dir)).isDirectory()) {
      const hint = `choose another ${wanted.key} in install_config.yaml`;
      return { dir, problem: { code: 'DIRECTORY_INVALID', message: 'is not a directory', at: dir, hint } };
    }
  } catch (error) {
    const problem = describeSystemError(error)?.problems[0];
    if (!problem) throw error;
    return { dir, problem };
  }
  if (await canWrite(dir)) return { dir };
  const message = `this account may not write here (${wanted.key})`;
  return { dir, problem: { code: 'PERMISSION_DENIED', message, at: dir, hint: `id; ls -ld ${dir}` } };
}

// Runs packages' post-link scripts in the build container, in link order (CEP 32; conda/core/link.py, run_script).
import path from 'node:path';
import { AppError, errorMessage } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import { lstatIfThere, readText, removeTree } from '../system/files.ts';
import type { RunInside } from './installer.ts';
import type { UnpackedPackage } from './link-plan.ts';

/** `bin/.openblas-post-link.sh` */
export function scriptPath(name: string, action: 'pre-link' | 'post-link'): string {
  return `bin/.${name}-${action}.sh`;
}

/**
 * @returns what the scripts left in `.messages.txt` for people
 * @throws AppError SCRIPT_FAILED with the script's output: an environment whose scripts failed is not whole
 */
export async function runPostLink(request: {
  readonly package: UnpackedPackage;
  readonly prefixOnDisk: string;
  readonly prefixInside: string;
  readonly runInside: RunInside;
}): Promise<string[]> {
  const { prefixInside } = request;
  const { locked } = request.package;
  const script = `${prefixInside}/${scriptPath(locked.name, 'post-link')}`;
  try {
    const { exitCode, stderr } = await request.runInside({
      program: '/bin/bash',
      args: [script],
      env: {
        // conda activates the environment first; of that, what a script can rely on.
        PREFIX: prefixInside,
        CONDA_PREFIX: prefixInside,
        ROOT_PREFIX: prefixInside,
        PKG_NAME: locked.name,
        PKG_VERSION: locked.version,
        PKG_BUILDNUM: String(locked.buildNumber),
        PATH: `${prefixInside}/bin:/usr/bin:/bin`,
        // What a script's python imports is compiled later, the same way each time.
        PYTHONDONTWRITEBYTECODE: '1',
      },
    });
    if (exitCode !== 0) throw new Error(`exit code ${exitCode}\n${stderr.trimEnd()}`);
  } catch (error) {
    if (error instanceof AppError && error.exit === EXIT.interrupted) throw error;
    throw new AppError(
      EXIT.buildFailed,
      {
        code: 'SCRIPT_FAILED',
        at: locked.url,
        message: `the post-link script of ${locked.name} failed: ${errorMessage(error)}`,
        hint: `pin another build of ${locked.name} in environment.yml, or leave it out`,
      },
      { cause: error },
    );
  }
  return await takeMessages(request.prefixOnDisk, locked.name);
}

/** `.messages.txt` is shown once and removed, as conda does. */
async function takeMessages(prefixOnDisk: string, name: string): Promise<string[]> {
  const file = path.join(prefixOnDisk, '.messages.txt');
  const there = await lstatIfThere(file);
  if (!there) return [];
  // A link could show any file of this machine.
  const text = there.isFile() ? (await readText(file)).trim() : '';
  await removeTree(file);
  if (text === '') return [];
  return [text.startsWith(name) ? text : `${name}: ${text}`];
}

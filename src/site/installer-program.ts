// The program that a site wants environments installed by, instead of condense's own linker: which it is and what it takes.
import path from 'node:path';
import { unusableCharacter } from '../config/text-rules.ts';
import type { SiteConfig } from '../config/site-config.ts';
import { AppError } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import { pathExists, realpath } from '../system/files.ts';
import { findProgram } from '../system/find-program.ts';
import { runCommand } from '../system/run-command.ts';

export interface InstallerProgram {
  /** Absolute, links resolved: the same path is used inside the build container. */
  readonly program: string;
  /** `libmamba`: micromamba, and mamba from 2; `conda`: conda, and mamba 1, which is conda with another solver. */
  readonly kind: 'libmamba' | 'conda';
  /** `micromamba 2.0.5` */
  readonly version: string;
  /** Whether it reads `#sha256:` in explicit files; all read an md5. */
  readonly takesSha256: boolean;
  /** What to bind, besides the site's own binds, so that it runs: read-only. */
  readonly binds: readonly string[];
}

/**
 * What `--version` says: micromamba and mamba 2 print a version alone, mamba 1 `mamba 1.5.8` and `conda 24.1.0`, conda
 * `conda 24.1.0`. Explicit files with a sha256: conda 24.9 (conda/conda pull request 14048), libmamba 1.1. Pure.
 */
export function parseInstallerVersion(
  name: string,
  output: string,
): Pick<InstallerProgram, 'kind' | 'version' | 'takesSha256'> | undefined {
  const [, conda] = /^conda (\d[\w.]*)\s*$/m.exec(output) ?? [];
  const [, mamba] = /^mamba (\d[\w.]*)\s*$/m.exec(output) ?? [];
  if (conda !== undefined) {
    const version = mamba === undefined ? `conda ${conda}` : `mamba ${mamba}, conda ${conda}`;
    return { kind: 'conda', version, takesSha256: isAtLeast(conda, 24, 9) };
  }
  const [, alone] = /^(?:(?:micro)?mamba )?(\d+\.\d+[\w.]*)\s*$/.exec(output.trim()) ?? [];
  if (alone === undefined || !name.includes('mamba')) return undefined;
  return {
    kind: 'libmamba',
    version: `${name.includes('micromamba') ? 'micromamba' : 'mamba'} ${alone}`,
    takesSha256: isAtLeast(alone, 1, 1),
  };
}

function isAtLeast(version: string, major: number, minor: number): boolean {
  const [first = 0, second = 0] = version.split('.').map((part) => Number.parseInt(part, 10));
  return first > major || (first === major && second >= minor);
}

/**
 * @returns nothing where the site wants condense's own
 * @throws AppError INSTALLER_MISSING, INSTALLER_UNKNOWN, INSTALLER_UNUSABLE (exit 4)
 */
export async function readInstallerProgram(
  config: Pick<SiteConfig, 'file' | 'installerProgram'>,
): Promise<InstallerProgram | undefined> {
  const wanted = config.installerProgram;
  if (wanted === undefined) return undefined;
  const fail = (code: string, message: string, hint: string): AppError =>
    new AppError(EXIT.siteNotReady, { code, message, at: config.file, hint });
  const found = await findProgram(wanted);
  if (found === undefined) {
    const hint = 'mend installer.program, or leave it out: condense then installs by itself';
    throw fail('INSTALLER_MISSING', `installer.program ${wanted} is not there, or cannot be executed`, hint);
  }
  const program = await realpath(found);
  const unusable = unusableCharacter(program);
  if (unusable) throw fail('INSTALLER_UNUSABLE', `${program} ${unusable}`, 'install it at another path');
  if (program.startsWith('/opt/conda/')) {
    const message = `${program} cannot be seen in the build container, where environments are at /opt/conda`;
    throw fail('INSTALLER_UNUSABLE', message, 'install it at another path');
  }
  const { stdout } = await runCommand({
    program,
    args: ['--version'],
    failureExit: EXIT.siteNotReady,
    failureHint: 'condense doctor',
  });
  const output = stdout.toString('utf8');
  // By the name that the site gives it: /opt/mamba may be a link to a file of another name.
  const known =
    parseInstallerVersion(path.basename(found), output) ?? parseInstallerVersion(path.basename(program), output);
  if (!known) {
    const message = `${found} --version says ${JSON.stringify(output.slice(0, 80))}, which is neither micromamba, mamba nor conda`;
    throw fail('INSTALLER_UNKNOWN', message, 'name one of these programs in installer.program');
  }
  // A conda installation is needed whole; micromamba is one file.
  const root = path.dirname(path.dirname(program));
  const bound = (await pathExists(path.join(root, 'conda-meta'))) ? root : program;
  return { ...known, program, binds: bound.startsWith('/usr/') ? [] : [`${bound}:${bound}:ro`] };
}

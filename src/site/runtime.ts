// The container runtime of this machine: which program it is and what version.
import type { SiteConfig } from '../config/site-config.ts';
import { AppError } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import { findProgram } from '../system/find-program.ts';
import { runCommand } from '../system/run-command.ts';

export interface ContainerRuntime {
  /** Absolute path; it is rendered into launchers, so it must be the same on every node. */
  readonly program: string;
  /** e.g. `apptainer version 1.4.5` */
  readonly version: string;
  /** nsenter(1), absolute, the same on every node: joins containers that are there already. */
  readonly nsenter?: string | undefined;
}

/** @throws AppError RUNTIME_MISSING */
export async function readRuntime(config: SiteConfig): Promise<ContainerRuntime> {
  const wanted = config.runtimeProgram;
  const program =
    wanted === undefined
      ? ((await findProgram('apptainer')) ?? (await findProgram('singularity')))
      : await findProgram(wanted);
  if (program === undefined) {
    throw new AppError(EXIT.siteNotReady, {
      code: 'RUNTIME_MISSING',
      message: wanted === undefined ? 'neither apptainer nor singularity is on PATH' : `there is no program ${wanted}`,
      at: config.file,
      hint: 'install one (ci/setup does on Debian 12), or name it: runtime: { program: /opt/singularity/bin/singularity }',
    });
  }
  const { stdout } = await runCommand({
    program,
    args: ['--version'],
    failureExit: EXIT.siteNotReady,
    failureHint: 'condense doctor',
  });
  return { program, version: stdout.toString('utf8').trim(), nsenter: await findProgram('nsenter') };
}

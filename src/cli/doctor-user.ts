// `condense doctor user`: what in a user's own files slows logins down or breaks environments, and how to mend it.
import os from 'node:os';
import path from 'node:path';
import { readLoginShell } from '../system/account.ts';
import { AppError } from '../system/app-error.ts';
import { EXIT, type ExitCode } from '../system/exit-codes.ts';
import { lstatIfThere } from '../system/files.ts';
import { writeHomeEdit, type HomeEdit, type WrittenEdit } from '../user/home-edit.ts';
import { measureLogin } from '../user/login-cost.ts';
import { probeUser } from '../user/probe-user.ts';
import { describeLogin } from '../user/user-findings.ts';
import { describeFindings } from './doctor.ts';
import type { Output } from './output.ts';

export interface DoctorUserOptions {
  readonly site?: string;
  readonly fix?: boolean;
}

/**
 * Runs as the user, and needs no configuration. Without --fix nothing is changed.
 * @throws AppError DIRECTORY_MISSING (exit 2); with --fix those of `writeHomeEdit`, once all that can be mended is
 */
export async function runDoctorUser(
  { output, signal }: { readonly output: Output; readonly signal: AbortSignal },
  directories: readonly string[],
  options: DoctorUserOptions,
): Promise<ExitCode> {
  const home = os.homedir();
  const tempDir = os.tmpdir();
  await checkPlaces(home, options.site);
  const { findings: found, edits } = await probeUser({
    ...{ home, env: process.env, directories, sitePrefix: options.site, signal },
  });
  const shell = readLoginShell();
  if (!options.fix && edits.length > 0)
    output.report({ type: 'note', text: `starting ${shell} with these files and without what can be mended, in turn` });
  const login = options.fix || edits.length === 0 ? [] : [await measureLogin({ home, shell, edits, tempDir, signal })];
  const findings = [...found, ...login.map(describeLogin)];
  const warnings = findings.filter(({ status }) => status === 'warning').length;
  const { written, problems } = options.fix ? await writeEdits(edits, tempDir) : { written: [], problems: [] };
  output.result({ home, warnings, findings, ...(login[0] && { login: login[0] }), written }, [
    ...describeFindings(findings),
    ...written.map(({ file, copy }) =>
      copy === undefined ? `made ${file}` : `mended ${file}; to have it as it was: mv ${copy} ${file}`,
    ),
    warnings === 0
      ? 'nothing to mend'
      : `${warnings} to look at${written.length > 0 ? `, ${written.length} files mended` : ''}`,
  ]);
  if (problems.length > 0)
    throw new AppError(
      EXIT.siteNotReady,
      problems.flatMap((problem) => problem.problems),
    );
  return EXIT.done;
}

async function checkPlaces(home: string, site: string | undefined): Promise<void> {
  for (const [dir, what] of [
    [home, 'the home directory'],
    ...(site === undefined ? [] : [[path.resolve(site), 'the prefix of the site'] as const]),
  ] as const) {
    if ((await lstatIfThere(dir)) === undefined)
      throw new AppError(EXIT.usage, {
        code: 'DIRECTORY_MISSING',
        message: `${what} is not there`,
        at: dir,
        hint: `ls -ld ${dir}`,
      });
  }
}

/** One that cannot be changed keeps no other from it. */
async function writeEdits(
  edits: readonly HomeEdit[],
  tempDir: string,
): Promise<{ readonly written: readonly WrittenEdit[]; readonly problems: readonly AppError[] }> {
  const written: WrittenEdit[] = [];
  const problems: AppError[] = [];
  for (const edit of edits) {
    try {
      written.push(await writeHomeEdit(edit, tempDir));
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      problems.push(error);
    }
  }
  return { written, problems };
}

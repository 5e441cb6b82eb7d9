// Changing a file of the user's own: a copy stays beside it, and the new text is checked before it takes the place of the old.
import path from 'node:path';
import { AppError } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import {
  lstatIfThere,
  mkdtemp,
  readBytes,
  removeTree,
  stat,
  syncPath,
  writeFileAtomic,
  writeNewFile,
} from '../system/files.ts';
import { findProgram } from '../system/find-program.ts';
import { runCommand } from '../system/run-command.ts';
import type { StartFile } from './start-files.ts';

export interface HomeEdit {
  /** Below the home directory. */
  readonly name: string;
  /** Where it really is. */
  readonly file: string;
  /** One character for each byte; undefined where there is no such file yet. */
  readonly before: string | undefined;
  readonly after: string;
  /** What can check its syntax. */
  readonly shell?: StartFile['shell'] | undefined;
}

export interface WrittenEdit {
  readonly file: string;
  /** What was there before. */
  readonly copy: string | undefined;
}

/** How each shell reads a file without running it, nor any file of its own. */
const CHECKS: Record<StartFile['shell'], readonly string[]> = {
  bash: ['--norc', '-n'],
  zsh: ['-f', '-n'],
  tcsh: ['-f', '-n'],
  fish: ['--no-config', '--no-execute'],
};

/**
 * @param tempDir where a file can be tried
 * @throws AppError START_FILE_CHANGED, START_FILE_FOREIGN, START_FILE_UNCHECKED, START_FILE_UNMENDED: the file is as it was
 */
export async function writeHomeEdit(edit: HomeEdit, tempDir: string): Promise<WrittenEdit> {
  const { file, before } = edit;
  if (before === undefined) {
    if (await lstatIfThere(file))
      throw refuse('START_FILE_FOREIGN', 'is there and cannot be read, so it is left as it is', file, `ls -l ${file}`);
    await writeNewFile(file, Buffer.from(edit.after, 'latin1'));
    await syncPath(file);
    return { file, copy: undefined };
  }
  const there = await stat(file);
  if (there.uid !== process.geteuid?.())
    throw refuse('START_FILE_FOREIGN', 'belongs to somebody else, so it is left as it is', file, `ls -l ${file}`);
  await checkSyntax(edit, tempDir);
  const copy = await findCopyName(file);
  await writeNewFile(copy, Buffer.from(before, 'latin1'), there.mode & 0o777);
  await syncPath(copy);
  if ((await readBytes(file)).toString('latin1') !== before)
    throw refuse(
      'START_FILE_CHANGED',
      'was changed meanwhile, so it is left as it is',
      file,
      'run the same command again',
    );
  await writeFileAtomic(file, Buffer.from(edit.after, 'latin1'), there.mode & 0o777);
  return { file, copy };
}

async function findCopyName(file: string): Promise<string> {
  for (let number = 1; ; number++) {
    const copy = `${file}.before-condense${number === 1 ? '' : `-${number}`}`;
    if (!(await lstatIfThere(copy))) return copy;
  }
}

/** What its shell took before it has to take after. */
async function checkSyntax({ file, shell, before, after }: HomeEdit, tempDir: string): Promise<void> {
  if (shell === undefined || before === undefined) return;
  if ((await findProgram(shell)) === undefined)
    throw refuse('START_FILE_UNCHECKED', `is for ${shell}, which is not here to check a change of it`, file);
  const dir = await mkdtemp(path.join(tempDir, 'condense-check-'));
  try {
    const passes = async (text: string, name: string): Promise<boolean> => {
      const tried = path.join(dir, name);
      await writeNewFile(tried, Buffer.from(text, 'latin1'));
      const args = [...CHECKS[shell], tried];
      const okExitCodes = Array.from({ length: 256 }, (_, code) => code);
      return (await runCommand({ program: shell, args, okExitCodes, timeoutMs: 10_000 })).exitCode === 0;
    };
    if ((await passes(before, 'before')) && !(await passes(after, 'after')))
      throw refuse('START_FILE_UNMENDED', `${shell} would not read it any more, so it is left as it is`, file);
  } finally {
    await removeTree(dir);
  }
}

function refuse(code: string, message: string, at: string, hint = `edit it by hand: ${at}`): AppError {
  return new AppError(EXIT.siteNotReady, { code, message, at, hint });
}

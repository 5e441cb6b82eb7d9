// Runs a command as somebody who is not root, the way users of a site do.
import { chown, mkdtemp } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { execa } from 'execa';

const NOBODY = 65534;

/** The words that go before a command so that it runs as `nobody` when we are root, and as ourselves otherwise. */
export function asOrdinaryUser(command: readonly string[]): string[] {
  if (process.getuid?.() !== 0) return [...command];
  return ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', '--', ...command];
}

/** A home directory of that user's own, below the system's temp directory; the caller removes it. */
export async function makeHome(): Promise<string> {
  const home = await mkdtemp(path.join(os.tmpdir(), 'condense-user-'));
  if (process.getuid?.() === 0) await chown(home, NOBODY, NOBODY);
  return home;
}

export interface Outcome {
  readonly exitCode: number | undefined;
  readonly signal: string | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command in that home with a login's environment: nothing of ours goes along. */
export async function runAsOrdinaryUser(
  home: string,
  command: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Outcome> {
  const [program = '', ...args] = asOrdinaryUser(command);
  const { exitCode, signal, stdout, stderr } = await execa(program, args, {
    cwd: home,
    stdin: 'ignore',
    reject: false,
    extendEnv: false,
    env: { HOME: home, PATH: '/usr/local/bin:/usr/bin:/bin', LANG: 'C.UTF-8', ...env },
  });
  return { exitCode, signal, stdout, stderr };
}

// What start-up files cost at login: the user's shell is started with them as they are, and as they would be, in turn.
import path from 'node:path';
import { makeDir, mkdtemp, readdirIfThere, removeTree, symlink, writeNewFile } from '../system/files.ts';
import { findProgram } from '../system/find-program.ts';
import { runAlone } from '../system/run-alone.ts';
import type { HomeEdit } from './home-edit.ts';

export type LoginCost =
  | {
      readonly kind: 'measured';
      readonly shell: string;
      /** How many times as long a login takes with the files as they are. */
      readonly ratio: number;
      readonly runs: number;
    }
  | { readonly kind: 'endless'; readonly shell: string; readonly limitSeconds: number }
  | { readonly kind: 'unknown'; readonly why: string };

export interface LoginRequest {
  readonly home: string;
  /** The user's login shell. */
  readonly shell: string;
  readonly edits: readonly HomeEdit[];
  readonly tempDir: string;
  /** Of one start of the shell. */
  readonly limitMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

const RUNS = 5;
/** After that no other pair is begun: people wait for it. */
const ENOUGH_MS = 30_000;
const LIMIT_MS = 20_000;

/** As a terminal does: login and interactive. tcsh takes -l only alone; what conda writes it reads in any case. */
const ARGUMENTS: Readonly<Record<string, readonly string[]>> = {
  bash: ['-l', '-i', '-c', 'exit'],
  zsh: ['-l', '-i', '-c', 'exit'],
  fish: ['-l', '-i', '-c', 'exit'],
  tcsh: ['-c', 'exit'],
};

/**
 * Two directories stand in for the home directory: links to all that is there, but for the files in question. What the files
 * start is ended with the shell.
 */
export async function measureLogin(request: LoginRequest): Promise<LoginCost> {
  const { shell, limitMs = LIMIT_MS } = request;
  const args = ARGUMENTS[path.basename(shell)];
  const program = await findProgram(shell);
  if (args === undefined || program === undefined)
    return { kind: 'unknown', why: `how ${shell} logs in is not known here` };
  const dir = await mkdtemp(path.join(request.tempDir, 'condense-login-'));
  try {
    const before = await writeHome(request, path.join(dir, 'before'), 'before');
    const after = await writeHome(request, path.join(dir, 'after'), 'after');
    const ratios: number[] = [];
    const started = performance.now();
    while (ratios.length < RUNS && (ratios.length === 0 || performance.now() - started < ENOUGH_MS)) {
      const took: number[] = [];
      for (const home of [before, after]) {
        const env = { ...loginEnvironment(shell), HOME: home };
        const one = await runAlone({ program, args, cwd: home, env, timeoutMs: limitMs, signal: request.signal });
        if (!one.isDone) return { kind: 'endless', shell, limitSeconds: limitMs / 1000 };
        took.push(one.durationMs);
      }
      const [asIs = 0, mended = 1] = took;
      ratios.push(asIs / mended);
    }
    const ratio = ratios.sort((a, b) => a - b)[Math.floor(ratios.length / 2)] ?? 1;
    return { kind: 'measured', shell, ratio, runs: ratios.length };
  } finally {
    await removeTree(dir); // the links, not what they lead to
  }
}

/** What login(1) gives a shell. */
function loginEnvironment(shell: string): Record<string, string> {
  const env: Record<string, string> = { PATH: '/usr/local/bin:/usr/bin:/bin', SHELL: shell, TERM: 'dumb' };
  for (const name of ['USER', 'LOGNAME', 'LANG', 'LC_ALL', 'XDG_RUNTIME_DIR']) {
    const value = process.env[name];
    if (value !== undefined) env[name] = value;
  }
  return env;
}

async function writeHome({ home, edits }: LoginRequest, to: string, which: 'before' | 'after'): Promise<string> {
  const texts = new Map(edits.map((edit) => [edit.name, edit[which]]));
  const write = async (below: string): Promise<void> => {
    await makeDir(path.join(to, below));
    const names = (await readdirIfThere(path.join(home, below))) ?? [];
    for (const name of names) {
      const relative = path.join(below, name);
      if (texts.has(relative)) continue;
      if ([...texts.keys()].some((edited) => edited.startsWith(`${relative}/`))) await write(relative);
      else await symlink(path.join(home, relative), path.join(to, relative));
    }
  };
  await write('');
  for (const [name, text] of texts)
    if (text !== undefined) await writeNewFile(path.join(to, name), Buffer.from(text, 'latin1'));
  return to;
}

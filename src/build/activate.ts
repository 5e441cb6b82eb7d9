// Stage: what activating the environment changes, measured in the container (conda docs: "Saving environment variables").
import path from 'node:path';
import { compareActivation, probeOf, type ActivatedShell, type ActivationDiff } from '../modules/activation-diff.ts';
import { AppError } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import { pathExists, readdir, readText, realpath } from '../system/files.ts';
import type { CommandResult } from '../system/run-command.ts';
import {
  BASH_SCRIPT,
  describeOtherShell,
  OTHER_SHELLS,
  parseBashAnswer,
  parseOtherAnswer,
  type OtherAnswer,
} from './activation-shells.ts';
import { readEnvironmentVariables } from './activation-variables.ts';

export type RunProgram = (command: {
  readonly program: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
}) => Promise<CommandResult>;

/** What the activate.d scripts may take for granted. */
const CLEAN: Readonly<Record<string, string>> = {
  HOME: '/',
  PATH: '/usr/bin:/bin',
  LC_ALL: 'C.UTF-8',
  PYTHONDONTWRITEBYTECODE: '1',
};

/**
 * @param prefixOnDisk where the staged prefix can be read
 * @param prefixInside where the container and later the users see it
 */
export async function captureActivation(
  prefixOnDisk: string,
  prefixInside: string,
  fullName: string,
  runInside: RunProgram,
): Promise<ActivationDiff> {
  const own = {
    CONDA_PREFIX: prefixInside,
    CONDA_DEFAULT_ENV: fullName,
    CONDA_SHLVL: '1',
    CONDA_PROMPT_MODIFIER: `(${fullName}) `,
    ...(await readEnvironmentVariables(prefixOnDisk)),
  };
  const inside = path.posix.join(prefixInside, 'etc/conda/activate.d');
  const run = async (
    before: Readonly<Record<string, string>>,
    program: string,
    args: readonly string[],
  ): Promise<Buffer> => {
    const env = { ...before, ...own, PATH: `${prefixInside}/bin:${CLEAN['PATH'] ?? ''}` };
    return (await runInside({ program, args, env, timeoutMs: 120_000 })).stdout;
  };
  const activate = async (before: Readonly<Record<string, string>>): Promise<ActivatedShell> => {
    const answer = parseBashAnswer(await run(before, '/bin/bash', ['--norc', '--noprofile', '-c', BASH_SCRIPT]));
    if (!answer?.environment.has('CONDA_PREFIX')) throw activationCutShort(inside);
    return answer;
  };
  const before = new Map(Object.entries(CLEAN));
  const activated = await activate(CLEAN);
  const scripts = await readScripts(path.join(prefixOnDisk, 'etc/conda/activate.d'));
  const spokenOf = scripts.filter(({ name }) => name.endsWith('.sh')).flatMap(({ text }) => listVariables(text));
  const probed = new Set(
    [...activated.environment.keys(), ...spokenOf].filter(
      (name) => !before.has(name) && !(name in own) && !NOT_PROBED.test(name) && /^[A-Za-z_]\w*$/.test(name),
    ),
  );
  const probes = Object.fromEntries([...probed].map((name) => [name, probeOf(name)]));
  const { environment: afterProbe } = await activate({ ...CLEAN, ...probes });
  const diff = compareActivation(before, activated, afterProbe, probed);
  const warnings = [...diff.warnings, ...describePath(activated.environment.get('PATH') ?? '', prefixInside)];
  for (const shell of OTHER_SHELLS) {
    const names = scripts.map(({ name }) => name).filter((name) => name.endsWith(shell.extension));
    const files = names.filter((name) => /^[\w.+-]+$/.test(name)).sort();
    if (names.length === 0) continue;
    if (files.length < names.length || !(await pathExists(shell.program))) {
      warnings.push(
        `what the activate.d scripts for ${shell.name} do was not compared: this node has no ${shell.name}, or their names are odd`,
      );
      continue;
    }
    const ask = async (scripts: readonly string[]): Promise<OtherAnswer> => {
      const answer = parseOtherAnswer(await run(CLEAN, shell.program, shell.args(scripts)));
      if (!answer) throw activationCutShort(inside);
      return answer;
    };
    const [start, end] = [await ask([]), await ask(files.map((name) => path.posix.join(inside, name)))];
    warnings.push(...describeOtherShell(shell.name, start, end, before, activated.environment));
  }
  return { changes: diff.changes, warnings };
}

/** Variables that change how the shell itself runs. */
const NOT_PROBED = /^(BASH.*|ENV|IFS|LD_PRELOAD|LD_AUDIT|SHELLOPTS|PS[0-4]|PATH|PROMPT_COMMAND|_|__condense_.*)$/;

/** Names that a script assigns, reads or takes away; some too many do no harm. */
function listVariables(text: string): string[] {
  const spoken = text.matchAll(
    /\$\{?[!#]?([A-Za-z_]\w*)|\b([A-Za-z_]\w*)\+?=|\b(?:unset|export)\s+(?:-\w+\s+)*([\w\s]+)/g,
  );
  return [...spoken]
    .flatMap(([, read, assigned, listed]) => [read, assigned, ...(listed?.split(/\s+/) ?? [])])
    .filter((name) => name !== undefined && name !== '') as string[];
}

/** The texts of the scripts; of one that is no file of the prefix only the name. */
async function readScripts(dir: string): Promise<{ readonly name: string; readonly text: string }[]> {
  if (!(await pathExists(dir))) return [];
  const root = `${await realpath(path.dirname(path.dirname(path.dirname(dir))))}/`;
  return await Promise.all(
    (await readdir(dir)).sort().map(async (name) => {
      const file = path.join(dir, name);
      const isOurs = (await pathExists(file)) && (await realpath(file)).startsWith(root);
      return { name, text: isOurs ? await readText(file) : '' };
    }),
  );
}

/** The farm stands for the environment's own `bin`; what scripts add is only inside. */
function describePath(after: string, prefixInside: string): string[] {
  const known = new Set([`${prefixInside}/bin`, ...(CLEAN['PATH'] ?? '').split(':')]);
  return after
    .split(':')
    .filter((entry) => !known.has(entry))
    .map((entry) => `activation puts ${entry} on PATH: commands there are not among those of the farm`);
}

/** A script that says `exit 0` ends the shell that sources it: what would be printed after it is missing. */
const activationCutShort = (dir: string): AppError =>
  new AppError(EXIT.buildFailed, {
    code: 'ACTIVATION_INVALID',
    message: 'one of these scripts ends the shell that sources it, or unsets CONDA_PREFIX',
    at: dir,
    hint: 'report it to the maintainers of its package, or leave that package out',
  });

// Stage: what activating the environment changes, measured in the container (conda docs: "Saving environment variables").
import {
  compareActivation,
  parseEnvironment,
  PROBE,
  type ActivationDiff,
  type Environment,
} from '../modules/activation-diff.ts';
import { pathExists, readdir, readText, realpath } from '../system/files.ts';
import { AppError, errorMessage } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import type { CommandResult } from '../system/run-command.ts';
import path from 'node:path';

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

/** Sources the scripts in conda's order, their output out of the way, and prints the environment NUL-separated. */
const SCRIPT = `
for __condense_script in "$CONDA_PREFIX"/etc/conda/activate.d/*.sh; do
  [ -r "$__condense_script" ] && . "$__condense_script" >&2
done
exec /usr/bin/env -0
`;

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
  const activate = async (before: Readonly<Record<string, string>>): Promise<Environment> => {
    const env = { ...before, ...own, PATH: `${prefixInside}/bin:${CLEAN['PATH'] ?? ''}` };
    const result = await runInside({
      program: '/bin/bash',
      args: ['--norc', '--noprofile', '-c', SCRIPT],
      env,
      timeoutMs: 120_000,
    });
    const environment = parseEnvironment(result.stdout);
    if (!environment.has('CONDA_PREFIX')) throw activationCutShort(prefixInside);
    return environment;
  };
  const after = await activate(CLEAN);
  const touched = [...after.keys()].filter((name) => !(name in CLEAN) && !(name in own) && /^[A-Za-z_]\w*$/.test(name));
  const afterProbe = await activate({ ...CLEAN, ...Object.fromEntries(touched.map((name) => [name, PROBE])) });
  return compareActivation(new Map(Object.entries(CLEAN)), after, afterProbe);
}

/** A script that says `exit 0` ends the shell that sources it: what would be printed after it is missing. */
const activationCutShort = (prefix: string): AppError =>
  new AppError(EXIT.buildFailed, {
    code: 'ACTIVATION_INVALID',
    message: 'one of these scripts ends the shell that sources it, or unsets CONDA_PREFIX',
    at: `${prefix}/etc/conda/activate.d`,
    hint: 'report it to the maintainers of its package, or leave that package out',
  });

/**
 * The variables that conda sets from files: packages' `etc/conda/env_vars.d/*.json`, then `conda-meta/state`, which wins
 * (conda's activate.py, `_get_environment_env_vars`).
 */
async function readEnvironmentVariables(prefix: string): Promise<Record<string, string>> {
  const variables: Record<string, string> = {};
  const dir = path.join(prefix, 'etc/conda/env_vars.d');
  if (await pathExists(dir)) {
    for (const name of (await readdir(dir)).filter((entry) => entry.endsWith('.json')).sort()) {
      const file = path.join(dir, name);
      // Read on this node: a package's link could show what any file of it says.
      if (!(await realpath(file)).startsWith(`${await realpath(prefix)}/`)) {
        const message = 'is a link out of the environment';
        throw new AppError(EXIT.buildFailed, { code: 'ACTIVATION_INVALID', message, at: file });
      }
      Object.assign(variables, stringsOf(await readJson(file), file));
    }
  }
  const state = path.join(prefix, 'conda-meta/state');
  if (await pathExists(state)) {
    const content = await readJson(state);
    if (typeof content === 'object' && content !== null && 'env_vars' in content) {
      Object.assign(variables, stringsOf(content.env_vars, state));
    }
  }
  return variables;
}

async function readJson(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readText(file));
  } catch (error) {
    throw new AppError(EXIT.buildFailed, {
      code: 'ACTIVATION_INVALID',
      message: `is not JSON: ${errorMessage(error)}`,
      at: file,
    });
  }
}

function stringsOf(value: unknown, file: string): Record<string, string> {
  const variables: Record<string, string> = {};
  for (const [name, text] of Object.entries(value ?? {})) {
    if (typeof text !== 'string' || !/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
      throw new AppError(EXIT.buildFailed, {
        code: 'ACTIVATION_INVALID',
        message: `${JSON.stringify(name)} is not an environment variable with a text value`,
        at: file,
      });
    }
    variables[name] = text;
  }
  return variables;
}

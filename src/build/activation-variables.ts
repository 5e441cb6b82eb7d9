// What conda sets from files when it activates an environment, besides running its scripts.
import path from 'node:path';
import { AppError, errorMessage } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import { pathExists, readdir, readText, realpath } from '../system/files.ts';

/**
 * The variables that conda sets from files: packages' `etc/conda/env_vars.d/*.json`, then `conda-meta/state`, which wins
 * (conda's activate.py, `_get_environment_env_vars`).
 */
export async function readEnvironmentVariables(prefix: string): Promise<Record<string, string>> {
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

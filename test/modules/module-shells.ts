// Every shell with every module system, and what the environment is after each step of a user.
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { execa } from 'execa';

/** By module system: where it keeps what a shell sources to have `module` (Debian 12's package; ci/setup unpacks the others aside). */
const SYSTEMS = {
  'Environment Modules 4': '/opt/environment-modules-4/share/modules/init',
  'Environment Modules 5': '/usr/share/modules/init',
  Lmod: '/opt/lmod/share/lmod/lmod/init',
} as const;
export type ModuleSystem = keyof typeof SYSTEMS;

/** As the product calls it: both versions of Environment Modules read the same modulefile. */
export const kindOf = (system: ModuleSystem): 'Environment Modules' | 'Lmod' =>
  system === 'Lmod' ? 'Lmod' : 'Environment Modules';
/** What a shell sources to have `module`. */
export const initOf = (system: ModuleSystem, shell: Shell): string => path.join(SYSTEMS[system], shell);

/** By shell: how it runs a script without anybody's start files. */
const SHELLS = {
  sh: ['sh'],
  bash: ['bash', '--norc', '--noprofile'],
  zsh: ['zsh', '-f'],
  csh: ['csh', '-f'],
  tcsh: ['tcsh', '-f'],
  fish: ['fish', '--no-config'],
} as const;
export type Shell = keyof typeof SHELLS;

export const MODULE_SYSTEMS = Object.keys(SYSTEMS) as ModuleSystem[];
/** Every pair, for `it.each`. */
export const SYSTEMS_AND_SHELLS: readonly (readonly [ModuleSystem, Shell])[] = MODULE_SYSTEMS.flatMap((system) =>
  (Object.keys(SHELLS) as Shell[]).map((shell) => [system, shell] as const),
);

const OWN =
  /^(_|SHLVL|PWD|OLDPWD|LOADEDMODULES|_LMFILES_|MODULE.*|__MODULES_.*|LMOD_.*|__LMOD_.*|_ModuleTable.*|BASH_FUNC_.*|BASH_ENV|ENV|FPATH|TARG_TITLE_BAR_PAREN|__Init_.*|.*_mod(share|quar))$/;
/** Whether the shell or the module system keeps that variable for itself. */
export const isOfModuleSystem = (name: string): boolean => OWN.test(name);

export interface Session {
  /** The environment before the first step, and after each one, without what is the shell's or the module system's own; empty where the shell got no further. */
  readonly environments: readonly Readonly<Record<string, string>>[];
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs steps in one shell that has `module`.
 * @param moduleRoot what it uses
 * @param steps each a command of plain words, the same in every shell: `module load conda/a-1`
 * @param env what there is besides PATH and HOME before anything else
 * @param as what a command becomes to run as somebody else
 */
export async function runModuleSession(
  system: ModuleSystem,
  shell: Shell,
  moduleRoot: string,
  steps: readonly string[],
  env: Readonly<Record<string, string>> = {},
  as: (command: readonly string[]) => string[] = (command) => [...command],
): Promise<Session> {
  const dir = await mkdtemp(path.join(os.tmpdir(), 'condense-session-'));
  await chmod(dir, 0o777);
  try {
    const snapshot = (index: number): string => `/usr/bin/env -0 > ${path.join(dir, `${index}.env`)}`;
    const script = path.join(dir, 'steps');
    const lines = [
      `${shell.endsWith('csh') || shell === 'fish' ? 'source' : '.'} ${initOf(system, shell)}`,
      `module use ${moduleRoot}`,
      snapshot(0),
      ...steps.flatMap((step, index) => [step, snapshot(index + 1)]),
    ];
    await writeFile(script, `${lines.join('\n')}\n`);
    const [program = '', ...args] = as([...SHELLS[shell], script]);
    const { stdout, stderr } = await execa(program, args, {
      cwd: dir,
      extendEnv: false,
      timeout: 120_000,
      env: { PATH: '/usr/local/bin:/usr/bin:/bin', HOME: dir, LC_ALL: 'C.UTF-8', ...env },
      reject: false,
    });
    const environments = await Promise.all(
      [snapshot(0), ...steps].map(async (_, index) =>
        parse(await readFile(path.join(dir, `${index}.env`)).catch(() => Buffer.of())),
      ),
    );
    return { environments, stdout, stderr };
  } finally {
    await rm(dir, { recursive: true });
  }
}

/** `env -0`, as bytes: a character that is not UTF-8 must not look like another one. */
function parse(bytes: Buffer): Record<string, string> {
  const pairs = bytes
    .toString('latin1')
    .split('\0')
    .slice(0, -1)
    .map((pair): [string, string] => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]);
  return Object.fromEntries(pairs.filter(([name]) => !isOfModuleSystem(name)));
}

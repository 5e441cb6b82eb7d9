// Real activation of a published release, as conda's activate.py does it, beside what `module load` gives.
import { expect } from 'vitest';
import { runAsOrdinaryUser } from '../../ci/ordinary-user.ts';
import { initOf, isOfModuleSystem, type ModuleSystem } from '../modules/module-shells.ts';
import type { TestSite } from './test-site.ts';

/**
 * conda's own order (conda/activate.py, build_activate): CONDA_*, then the variables of etc/conda/env_vars.d and conda-meta/state,
 * then activate.d in the order of names. Run in the container, where the prefix is.
 */
const ACTIVATE = `
export CONDA_PREFIX=$1 CONDA_DEFAULT_ENV=\${1##*/} CONDA_SHLVL=1 CONDA_PROMPT_MODIFIER="(\${1##*/}) "
for file in "$1"/etc/conda/env_vars.d/*.json "$1"/conda-meta/state; do
  [ -e "$file" ] || continue
  eval "$(/usr/bin/python3 -c '
import json, shlex, sys
read = json.load(open(sys.argv[1]))
for name, value in (read["env_vars"] if "env_vars" in read else read if sys.argv[1].endswith(".json") else {}).items():
    print("export", name + "=" + shlex.quote(value))
' "$file")"
done
unset file
for script in "$1"/etc/conda/activate.d/*.sh; do . "$script"; done
unset script
`;

/**
 * Compares, variable by variable, what a program of the environment sees.
 * @param known variables whose difference is meant, as the manifest says
 */
export async function expectSameAsActivation(
  site: TestSite,
  home: string,
  system: ModuleSystem,
  fullName: string,
  env: Readonly<Record<string, string>>,
  known: readonly string[],
): Promise<void> {
  const launcher = site.scripts(fullName, 'launcher');
  const ask = async (script: string, args: readonly string[]): Promise<Map<string, string>> => {
    const ran = await runAsOrdinaryUser(home, ['bash', '--norc', '-c', script, 'bash', ...args], env);
    expect(ran.exitCode, ran.stderr).toBe(0);
    const pairs = ran.stdout.split('\0').slice(0, -1);
    return new Map(pairs.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]));
  };
  const loaded = await ask(
    `. ${initOf(system, 'bash')}; module use ${site.modules} && module load conda/${fullName} || exit; "$1" /usr/bin/env -0`,
    [launcher],
  );
  // With the module system set up as well: what that itself sets is then the same.
  const activated = await ask(
    `. ${initOf(system, 'bash')}; module use ${site.modules}; "$1" /bin/bash --norc -c "$3" bash "$2"`,
    [launcher, `/opt/conda/${fullName}`, `${ACTIVATE}\nexec /usr/bin/env -0`],
  );
  const names = [...new Set([...loaded.keys(), ...activated.keys()])]
    .filter((name) => !isOfModuleSystem(name) && !/^(PATH|CONDENSE_(RELEASE|SAVED_.*))$/.test(name))
    .sort();
  const differences = names.filter((name) => loaded.get(name) !== activated.get(name));

  expect(activated.get('CONDA_PREFIX')).toBe(`/opt/conda/${fullName}`);
  expect(
    differences
      .filter((name) => !known.includes(name))
      .map((name) => `${name}: module ${String(loaded.get(name))}, activation ${String(activated.get(name))}`),
  ).toEqual([]);
}

// What `condense doctor user` says of each thing that it has found, and how to mend it by hand.
import type { Finding } from '../site/finding.ts';
import type { BrokenVenv } from './broken-venvs.ts';
import type { LoginCost } from './login-cost.ts';
import { PYTHON_VARIABLES, type StartFinding } from './parse-start-file.ts';
import { isMendable } from './plan-start-text.ts';
import type { Shadow } from './python-shadows.ts';
import type { StartFile } from './start-files.ts';

/** Mends what `isMendable` and what `planCondarc` can. */
const FIX = 'condense doctor user --fix';

const quote = (word: string): string => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`);

export function describeStartFinding({ file, language }: StartFile, finding: StartFinding): Finding {
  const { firstLine, lastLine } = finding;
  const name = `${file}:${firstLine === lastLine ? firstLine : `${firstLine}-${lastLine}`}`;
  const byHand = `by hand: \${EDITOR:-vi} +${firstLine} ${quote(file)}`;
  switch (finding.kind) {
    case 'conda-block':
      if (finding.isLazy) return { name, status: 'ok', found: `${finding.tool} starts only when it is used` };
      return {
        ...{ name, status: 'warning', code: 'CONDA_AT_LOGIN' },
        found: `the block of ${finding.tool} init starts Python at each login`,
        fix: isMendable(finding, language)
          ? `${FIX}   (${finding.tool} then starts when it is first used)`
          : `sed -i.before-condense '${firstLine},${lastLine}s/^/# /' ${quote(file)}   (csh has no function to put it into: source it when you need ${finding.tool})`,
      };
    case 'conda-unfinished':
      return {
        ...{ name, status: 'warning', code: 'CONDA_BLOCK_UNFINISHED' },
        found: `a block of ${finding.tool} init begins here and does not end`,
        fix: byHand,
      };
    case 'python-variable':
      return {
        ...{ name, status: 'warning', code: 'PYTHON_VARIABLE_SET' },
        found: `sets ${finding.name}, ${HARM[finding.name]}`,
        fix: isMendable(finding, language) ? `${FIX}   (makes that line a comment)` : byHand,
      };
    case 'activation':
      return {
        ...{ name, status: 'warning', code: 'CONDA_AT_LOGIN' },
        found: `\`${finding.command}\` activates an environment at each login; a module loaded in a job script costs nothing`,
        fix: byHand,
      };
  }
}

const HARM = {
  PYTHONPATH: 'which puts its packages before those of every environment',
  PYTHONHOME: 'with which no other Python finds its own library',
} as const;

export function describeVariables(env: NodeJS.ProcessEnv): Finding[] {
  return PYTHON_VARIABLES.flatMap((name) => {
    const value = env[name];
    if (value === undefined || value === '') return [];
    const found = `is set to ${JSON.stringify(value)}, ${HARM[name]}`;
    return [{ name, status: 'warning' as const, code: 'PYTHON_VARIABLE_SET', found, fix: `unset ${name}` }];
  });
}

export function describeCondarc(file: string, isMended: boolean): Finding {
  return {
    ...{ name: file, status: 'warning', code: 'CONDA_ACTIVATES_BASE' },
    found: 'does not keep conda from activating its base environment in each shell, over what modules have put on PATH',
    fix: isMended
      ? `${FIX}   (or: conda config --set auto_activate_base false)`
      : 'conda config --set auto_activate_base false',
  };
}

export function describeShadow({ dir, hides, environments }: Shadow): Finding {
  const shown = hides.slice(0, 5).join(', ');
  const more = hides.length > 5 ? ` and ${hides.length - 5} more` : '';
  return {
    ...{ name: dir, status: 'warning', code: 'PACKAGES_HIDDEN' },
    found: `${shown}${more}, of pip install --user, would hide those of ${environments.join(', ')} wherever Python looks there`,
    fix: `mv ${quote(dir)} ${quote(`${dir}.off`)}   (then use a venv for them)`,
  };
}

export function describeVenv({ dir, missing, sitePackages }: BrokenVenv): Finding {
  const list = quote(`${dir}.packages.txt`);
  const again = `python3 -m venv --clear --system-site-packages ${quote(dir)}`;
  return {
    ...{ name: dir, status: 'warning', code: 'VENV_BROKEN' },
    found: `a venv whose Python is gone: there is no ${missing}`,
    fix:
      sitePackages === undefined
        ? `${again}   (with the module loaded that it is to stand on)`
        : `python3 -m pip list --path ${quote(`${dir}/${sitePackages}`)} --format freeze > ${list} && ${again} && ${quote(`${dir}/bin/python3`)} -m pip install -r ${list}   (with the module loaded that it is to stand on)`,
  };
}

export function describeLogin(cost: LoginCost): Finding {
  const name = 'login';
  switch (cost.kind) {
    case 'measured':
      return {
        name,
        status: 'ok',
        found: `${cost.shell} takes ${cost.ratio.toFixed(1)} times as long as it would without what can be mended (${cost.runs} starts each, in turn)`,
      };
    case 'endless':
      return {
        ...{ name, status: 'warning', code: 'LOGIN_ENDLESS' },
        found: `${cost.shell} with these files was not ready after ${cost.limitSeconds} s, and was ended`,
        fix: `${cost.shell} -x -l -i -c exit   (shows where it stays)`,
      };
    case 'unknown':
      return { name, status: 'ok', found: `not measured: ${cost.why}` };
  }
}

// What a start-up file says about conda and Python, line by line; nothing of it is run.
import type { StartLanguage } from './start-files.ts';

/** Lines are counted from 1. */
export type StartFinding =
  | {
      readonly kind: 'conda-block';
      /** As its first line says: `conda init` or `mamba shell init` wrote it. */
      readonly tool: 'conda' | 'mamba';
      /** The functions that it makes. */
      readonly commands: readonly string[];
      readonly firstLine: number;
      readonly lastLine: number;
      /** Whether it only runs when one of its commands is used. */
      readonly isLazy: boolean;
    }
  | { readonly kind: 'conda-unfinished'; readonly tool: string; readonly firstLine: number; readonly lastLine: number }
  | {
      readonly kind: 'python-variable';
      readonly name: PythonVariable;
      readonly firstLine: number;
      readonly lastLine: number;
      /** Whether the line does that and nothing else, so that it can be turned off by itself. */
      readonly isWhole: boolean;
    }
  | {
      readonly kind: 'activation';
      readonly command: string;
      readonly firstLine: number;
      readonly lastLine: number;
    };

export const PYTHON_VARIABLES = ['PYTHONPATH', 'PYTHONHOME'] as const;
type PythonVariable = (typeof PYTHON_VARIABLES)[number];

/** The function that `planStartText` puts around a block. */
export const LAZY_FUNCTION = '__condense_start_';

/** conda, core/initialize.py; mamba, shell_init.cpp. */
const BLOCK_START = /^# >>> (conda|mamba) init(?:ialize)? >>>\s*$/;
const blockEnd = (tool: string): RegExp => new RegExp(`^# <<< ${tool} init(?:ialize)? <<<\\s*$`);

export function parseStartFile(text: string, language: StartLanguage): StartFinding[] {
  const lines = text.split('\n');
  const findings: StartFinding[] = [];
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at] ?? '';
    const tool = BLOCK_START.exec(line)?.[1] as 'conda' | 'mamba' | undefined;
    if (tool === undefined) {
      const finding = parseLine(line, at + 1, language);
      if (finding) findings.push(finding);
      continue;
    }
    const end = lines.findIndex((one, index) => index > at && blockEnd(tool).test(one));
    const another = lines.findIndex((one, index) => index > at && BLOCK_START.test(one));
    if (end === -1 || (another !== -1 && another < end)) {
      findings.push({ kind: 'conda-unfinished', tool, firstLine: at + 1, lastLine: at + 1 });
      continue;
    }
    findings.push({
      ...{ kind: 'conda-block', tool, firstLine: at + 1, lastLine: end + 1 },
      commands: findCommands(tool, lines.slice(at, end)),
      isLazy:
        lines.slice(Math.max(0, at - 3), at).some((before) => before.includes(`${LAZY_FUNCTION}${tool}`)) ||
        (language === 'csh' && startsNothing(lines.slice(at, end))),
    });
    at = end;
  }
  return findings;
}

/**
 * For csh and tcsh conda and mamba write a block that runs nothing: it reads conda.csh, which makes `conda` an alias for reading
 * it again (conda/shell/etc/profile.d/conda.csh).
 */
function startsNothing(block: readonly string[]): boolean {
  const commands = block.filter((line) => !/^\s*(?:#|$)/.test(line));
  return commands.every((line) => /^\s*(?:if\b|else\b|endif\b|source\s|setenv\s)[^`]*$/.test(line));
}

/** mamba 1 adds its own file to conda's block; a block of mamba 2 makes the function that its program is called. */
function findCommands(tool: 'conda' | 'mamba', block: readonly string[]): string[] {
  const text = block.join('\n');
  if (tool === 'conda') return /\/mamba\.(?:sh|fish)\b/.test(text) ? ['conda', 'mamba'] : ['conda'];
  return [/MAMBA_EXE\b.*\/(micromamba|mamba)['"\s]/.exec(text)?.[1] ?? 'mamba'];
}

/** A word that nothing has to be run for: quotes are closed, and no command is in it. */
const WORD =
  String.raw`(?:[^\s"'\\;&|()<>$` +
  '`' +
  String.raw`]|\$\w+|\$\{[^{}` +
  '`' +
  String.raw`()]*\}|"[^"\\` +
  '`' +
  String.raw`]*"|'[^']*')*`;

const SETS: Record<StartLanguage, { readonly any: RegExp; readonly whole: RegExp }> = {
  sh: {
    any: /^\s*(?:(?:export|declare|typeset)\s+(?:-\w+\s+)*)?(PYTHONPATH|PYTHONHOME)=/,
    whole: new RegExp(
      String.raw`^\s*(?:(?:export|declare|typeset)\s+(?:-\w+\s+)*)?(\w+)=${WORD}\s*(?:;\s*export\s+\1\s*)?;?\s*(?:#.*)?$`,
    ),
  },
  csh: {
    any: /^\s*setenv\s+(PYTHONPATH|PYTHONHOME)\b/,
    whole: new RegExp(String.raw`^\s*setenv\s+\w+\s+${WORD}\s*;?\s*$`),
  },
  fish: {
    any: /^\s*set\s+(?:-\S+\s+)*(PYTHONPATH|PYTHONHOME)\s/,
    whole: new RegExp(String.raw`^\s*set(?:\s+${WORD})*\s*;?\s*$`),
  },
};

function parseLine(line: string, number: number, language: StartLanguage): StartFinding | undefined {
  const at = { firstLine: number, lastLine: number };
  const name = SETS[language].any.exec(line)?.[1] as PythonVariable | undefined;
  if (name !== undefined) {
    // `PYTHONPATH=lib python3 x.py` sets it for that command only.
    const isPrefix = language === 'sh' && new RegExp(String.raw`^\s*\w+=${WORD}\s+[^\s;#&|]`).test(line);
    return isPrefix ? undefined : { kind: 'python-variable', name, ...at, isWhole: SETS[language].whole.test(line) };
  }
  const command = /^\s*((?:conda|mamba|micromamba|source)\s+activate(?:\s+[\w./~-]+)?)\s*(?:#.*)?$/.exec(line)?.[1];
  return command === undefined ? undefined : { kind: 'activation', command, ...at };
}

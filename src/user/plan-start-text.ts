// What a start-up file would be like without what `condense doctor user` has found in it.
import { LAZY_FUNCTION, type StartFinding } from './parse-start-file.ts';
import type { StartFile, StartLanguage } from './start-files.ts';

/** Whether `planStartText` does something about it. */
export function isMendable(finding: StartFinding, language: StartLanguage): boolean {
  switch (finding.kind) {
    case 'conda-block':
      return !finding.isLazy && language !== 'csh';
    case 'python-variable':
      return finding.isWhole;
    case 'conda-unfinished':
    case 'activation':
      return false;
  }
}

/**
 * Blocks of conda stay as they are, in a function that runs them when conda is first used: `conda init` finds them there, too.
 * A line that sets PYTHONPATH or PYTHONHOME becomes a comment.
 */
export function planStartText(
  { text, language }: Pick<StartFile, 'text' | 'language'>,
  findings: readonly StartFinding[],
): string {
  const lines = text.split('\n');
  // From the end, so that the numbers of the lines before stay right.
  for (const finding of findings.toReversed()) {
    if (!isMendable(finding, language)) continue;
    const at = finding.firstLine - 1;
    const found = lines.slice(at, finding.lastLine);
    const planned =
      finding.kind === 'conda-block'
        ? wrapBlock(found, finding, language)
        : found.map((line) => turnOff(line, language));
    lines.splice(at, found.length, ...planned);
  }
  return lines.join('\n');
}

/** In sh, `:` keeps an `if` whole that had nothing else in it. */
function turnOff(line: string, language: StartLanguage): string {
  const [, indent = '', rest = ''] = /^(\s*)(.*)$/s.exec(line) ?? [];
  return `${indent}${language === 'sh' ? ': ' : ''}# off (condense doctor user): ${rest}`;
}

/** The functions are forgotten first, so that where conda is gone its command is missing, and nothing runs for ever. */
function wrapBlock(
  block: readonly string[],
  { tool, commands }: Extract<StartFinding, { kind: 'conda-block' }>,
  language: StartLanguage,
): string[] {
  const start = `${LAZY_FUNCTION}${tool}`;
  const names = [...commands, start].join(' ');
  const why = `# ${tool} starts when it is first used, not at each login (condense doctor user)`;
  return language === 'fish'
    ? [
        why,
        `function ${start}`,
        `functions --erase ${names}`,
        ...block,
        'end',
        ...commands.map((command) => `function ${command}; ${start}; ${command} $argv; end`),
      ]
    : [
        why,
        `${start}() {`,
        `unset -f ${names}`,
        ...block,
        '}',
        ...commands.map((command) => `${command}() { ${start}; ${command} "$@"; }`),
      ];
}

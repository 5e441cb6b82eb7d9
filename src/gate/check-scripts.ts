// The first lines of the scripts in an environment's bin: a wrong one is a command that does not start. Pure.
import type { RawResult } from './raw-result.ts';

interface Script {
  readonly name: string;
  readonly line: string;
  /** Whether the interpreter is there. */
  readonly isFound: boolean;
}

/** As SCRIPTS_PROGRAM prints them. @throws Error where that was cut short */
export function parseScripts(text: string): readonly Script[] {
  const fields = text.split('\0');
  if (fields.pop() !== '' || fields.length % 3 !== 0) throw new Error('the list of scripts is cut short');
  const scripts: Script[] = [];
  for (let at = 0; at < fields.length; at += 3) {
    const [name = '', line = '', found] = fields.slice(at, at + 3);
    scripts.push({ name, line, isFound: found === '1' });
  }
  return scripts;
}

/** execve(2): what the kernel reads of a script for its first line, newline included. */
const MAX_LINE_BYTES = 256;

/**
 * One result for all scripts that are right, and one for each that is not.
 * @param commands that Python's entry points have: these must run in the environment's own Python
 */
export function checkScripts(
  scripts: readonly Script[],
  condaPrefix: string,
  commands: ReadonlySet<string>,
  seconds: number,
): RawResult[] {
  const wrong = scripts.flatMap((script) => {
    const failure = describeWrong(script, condaPrefix, commands);
    return failure === undefined ? [] : [{ name: `script ${script.name}`, seconds: 0, failure }];
  });
  return [{ name: 'scripts', seconds }, ...wrong];
}

function describeWrong(
  { name, line, isFound }: Script,
  condaPrefix: string,
  commands: ReadonlySet<string>,
): string | undefined {
  const at = `bin/${name} begins with ${JSON.stringify(line.slice(0, 300))}`;
  if (Buffer.byteLength(line) >= MAX_LINE_BYTES)
    return `${at}: the kernel does not read more than ${MAX_LINE_BYTES} bytes`;
  if (line.endsWith('\r')) return `${at}: the carriage return is part of the interpreter's name`;
  const [program = '', argument = ''] = line.slice(2).trim().split(/\s+/);
  if (!program.startsWith('/')) return `${at}: the interpreter must be an absolute path`;
  if (!isFound) return `${at}: ${program.endsWith('/env') ? argument : program} is not there`;
  const isPython = /\/python[\d.]*$/.test(program);
  if (isPython && !program.startsWith(`${condaPrefix}/`))
    return `${at}: that is not the environment's Python, and has none of its packages`;
  if (commands.has(name) && !isPython && !program.endsWith('/env') && !program.endsWith('/sh'))
    return `${at}: a Python entry point must run in ${condaPrefix}/bin/python`;
  return undefined;
}

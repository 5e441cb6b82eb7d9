// Programs that end when condense is killed: the next run must not meet what an earlier one has left at work.
import { execa } from 'execa';
import { findProgram } from './find-program.ts';

interface Words {
  readonly program: string;
  readonly args: readonly string[];
}

/**
 * Has the kernel kill the program once the thread that started it is gone (PR_SET_PDEATHSIG, prctl(2)), which an exec
 * keeps unless the program is setuid. setpriv(1) can do so since util-linux 2.33; where it cannot, nothing is changed.
 */
export async function planMortal(
  command: Words & { readonly env?: Readonly<Record<string, string>> | undefined },
): Promise<Words> {
  const { program, args } = command;
  const setpriv = await (setprivFound ??= probeSetpriv());
  const file = setpriv === undefined ? undefined : await findProgram(program, command.env?.['PATH']);
  // A program that is missing fails as it would without this.
  if (setpriv === undefined || file === undefined) return { program, args };
  return { program: setpriv, args: ['--pdeathsig', 'KILL', '--', file, ...args] };
}

let setprivFound: Promise<string | undefined> | undefined;

async function probeSetpriv(): Promise<string | undefined> {
  const file = await findProgram('setpriv');
  if (file === undefined) return undefined;
  const { exitCode } = await execa(file, ['--pdeathsig', 'KILL', '--', file, '--version'], {
    reject: false,
    stdio: 'ignore',
  });
  return exitCode === 0 ? file : undefined;
}

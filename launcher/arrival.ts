// What a command that another host has sent is here: its environment and its words.
import type { Capsule } from './capsule.ts';
import { valueOf } from './environment.ts';

const nameOf = (entry: string): string => entry.split('=', 1)[0] ?? '';

export function planArrival(
  { variables, command }: Capsule,
  here: readonly string[],
): { environment: readonly string[]; words: readonly string[] } {
  const names = new Set(variables.map(nameOf));
  const carried = variables.filter((variable) => variable.includes('='));
  const environment = [...here.filter((entry) => !names.has(nameOf(entry))), ...carried];
  if (command.kind === 'words') return { environment, words: command.words };
  const shell = valueOf(environment, 'SHELL') ?? '';
  const program = shell.startsWith('/') ? shell : '/bin/sh';
  // The login shell has read its files once; some shells can be told not to read them again, since they may set PATH.
  // A bash that sshd starts reads ~/.bashrc, and tells by SHLVL that it is the second one.
  const words = [program, ...(/\/(zsh|csh|tcsh)$/.test(program) ? ['-f'] : []), '-c', command.text];
  return { environment: [...environment.filter((entry) => nameOf(entry) !== 'SHLVL'), 'SHLVL=1'], words };
}

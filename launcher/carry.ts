// What becomes of a command that is for another host: whether the environment goes with it, and how. Where this is in
// any doubt, the caller's own words go unchanged. The rules are in docs/launcher.md.
import { renderCapsule, type Side } from './capsule.ts';
import { valueOf } from './environment.ts';
import type { LauncherFacts } from './facts.ts';
import type { Sight } from './path.ts';
import { parsePbsCommandLine } from './pbs-command-line.ts';
import { listCommandOf, listCommands } from './simple-commands.ts';
import { findSrunPrograms } from './srun-command-line.ts';
import { matchesHost, parseSshCommandLine } from './ssh-command-line.ts';

/** Programs that other programs start on the far side to speak to them, whatever the environment has of these names. */
export const TRANSPORTS = [
  ...['git', 'git-*', 'rsync', 'scp', 'sftp', 'sftp-server', 'internal-sftp', 'mosh-server', 'svnserve', 'hg', 'borg'],
  ...['unison', 'rclone'],
];
const TRANSPORT = new RegExp(`^(${TRANSPORTS.join('|').replaceAll('*', '.*')})$`);
/** Besides what the module sets. */
const OWN_VARIABLES = ['PATH', 'CONDENSE_RELEASE', 'CONDENSE_SESSION', 'CONTAINER_OVERLAY_PATH'];

/** The names of what travels with a command. */
export function listCarried({ moduleVariables = [] }: LauncherFacts): string[] {
  return [...new Set([...OWN_VARIABLES, ...moduleVariables])];
}

export interface Caller {
  readonly isInside: boolean;
  /** The release's directory. */
  readonly release: string;
  readonly environment: readonly string[];
}

/** The arguments that an outside command gets. */
export function planOutsideArguments(
  name: string,
  args: readonly string[],
  caller: Caller,
  facts: LauncherFacts,
  sight: Sight,
): readonly string[] {
  if (name === 'srun') return caller.isInside ? withProgramsOutside(args, caller.release, facts, sight) : args;
  if (!caller.isInside && !valueOf(caller.environment, 'CONDENSE_RELEASE')?.startsWith(`${facts.fullName}/`))
    return args;
  return (
    (name === 'ssh' ? carryBySsh : name === 'pbs_tmrsh' ? carryByPbs : undefined)?.(args, caller, facts, sight) ?? args
  );
}

function carryBySsh(args: readonly string[], caller: Caller, facts: LauncherFacts, sight: Sight): string[] | undefined {
  const line = parseSshCommandLine(args);
  if (line === undefined || !matchesHost(line.host, facts.sshHosts ?? [])) return undefined;
  // ssh itself puts one blank between the words, and the login shell reads the result.
  const text = line.command.join(' ');
  if (!needEnvironment(listCommands(text), caller, facts, sight)) return undefined;
  const words = render({ kind: 'shell', text }, caller, facts);
  return words && [...line.before, `exec ${words.join(' ')}`];
}

function carryByPbs(args: readonly string[], caller: Caller, facts: LauncherFacts, sight: Sight): string[] | undefined {
  const line = parsePbsCommandLine(args);
  if (line === undefined || !needEnvironment(listCommandOf(line.command), caller, facts, sight)) return undefined;
  const words = render({ kind: 'words', words: line.command }, caller, facts);
  return words && [...line.before, ...words];
}

/** One of its commands starts in the environment; the first is nobody's transport. */
function needEnvironment(commands: readonly string[], caller: Caller, facts: LauncherFacts, sight: Sight): boolean {
  const first = commands[0] ?? '';
  if (TRANSPORT.test(first.slice(first.lastIndexOf('/') + 1))) return false;
  const byName = (command: string): boolean =>
    /^[^.$`*?[~][^$`*?[]*$/.test(command) && sight.isLink(`${caller.release}/bin/${command}`);
  const byPath = (command: string): boolean =>
    [facts.condaPrefix, ...facts.farmRoots].some((root) => command.startsWith(`${root}/`)) || sight.isLauncher(command);
  return commands.some((command) => {
    if (!command.includes('/')) return byName(command);
    // A relative one is relative to another directory there.
    if (!command.startsWith('/')) return false;
    if (byPath(command)) return true;
    // A script, or a venv's entry point, that this host has too.
    const [interpreter, name] = interpreterOf(sight.readFirstLine(command));
    return (interpreter !== undefined && byPath(interpreter)) || (name !== undefined && byName(name));
  });
}

/** Of a `#!` line; and the name that env(1) looks up, if that is the interpreter. */
function interpreterOf(line: string | undefined): [path?: string, name?: string] {
  const [, path, rest = ''] = /^#![ \t]*([^ \t]+)(.*)/.exec(line ?? '') ?? [];
  if (path === undefined || !/^(\/usr)?\/bin\/env$/.test(path)) return path === undefined ? [] : [path];
  const [name] = listCommandOf(['env', ...rest.split(/[ \t]+/).filter((word) => !['', '-S'].includes(word))]);
  return name === undefined ? [path] : [path, name];
}

function render(
  command: Parameters<typeof renderCapsule>[1]['command'],
  caller: Caller,
  facts: LauncherFacts,
): string[] | undefined {
  const side: Side = caller.isInside ? 'inside' : 'host';
  const id = caller.release.slice(caller.release.lastIndexOf('/') + 1);
  const pin = valueOf(caller.environment, 'CONDENSE_RELEASE');
  // The pin of another environment, in whose job this is, stays: the launcher's path says which release of this one it is.
  const isOthers = pin?.startsWith(`${facts.fullName}/`) === false;
  const variables = listCarried(facts).map((name) => {
    const value =
      name === 'CONDENSE_RELEASE' && !isOthers ? `${facts.fullName}/${id}` : valueOf(caller.environment, name);
    return value === undefined ? name : `${name}=${value}`;
  });
  return renderCapsule(`${caller.release}/launcher`, { side, variables, command });
}

/** A program by its path in the image is that of the release's farm, which other nodes see. */
function withProgramsOutside(
  args: readonly string[],
  release: string,
  facts: LauncherFacts,
  sight: Sight,
): readonly string[] {
  const programs = findSrunPrograms(args);
  const bin = `${facts.condaPrefix}/bin/`;
  return args.map((word, at) => {
    const outside = `${release}/bin/${word.slice(bin.length)}`;
    return programs.includes(at) && word.startsWith(bin) && sight.isLink(outside) ? outside : word;
  });
}

/**
 * PATH for a command of the host that is called inside: with farms where the image's own commands stand, since what it
 * starts elsewhere does not see the image.
 */
export function pathOutside(path: string | undefined, release: string, facts: LauncherFacts): string | undefined {
  const own = `${facts.condaPrefix}/bin`;
  const entries = path?.split(':');
  const at = entries?.indexOf(own) ?? -1;
  if (entries === undefined || at < 0) return path;
  const farm = entries[at + 1];
  // As pathInside has put it: in front of the farm.
  const followed = farm !== undefined && facts.farmRoots.some((root) => farm.startsWith(`${root}/`));
  return (followed ? entries.toSpliced(at, 1) : entries.with(at, `${release}/bin`)).join(':');
}

// Decides what one call of the launcher starts. Pure: the file system answers through Sight. This is the reference
// that the bash prelude agrees with where it does not leave the decision to this.
import { planArrival } from './arrival.ts';
import type { Capsule } from './capsule.ts';
import { pathOutside, planOutsideArguments } from './carry.ts';
import { applySettings, valueOf } from './environment.ts';
import type { LauncherFacts } from './facts.ts';
import { outermost } from './binds.ts';
import { inheritEnvironment } from './inherit.ts';
import type { LayerPlan } from './layer.ts';
import type { Invocation } from './invocation.ts';
import { planOverlays, type Overlay } from './overlays.ts';
import { parseOptions, USAGE } from './options.ts';
import { findOutside, pathInside, type Sight } from './path.ts';

export interface ContainerPlan {
  readonly kind: 'container';
  readonly release: string;
  /** Why this release, for --explain. */
  readonly releaseBecause: string;
  readonly image: string;
  /** Mounted over the image, the last one on top, but one that is written to above all. */
  readonly overlays: readonly Overlay[];
  readonly binds: readonly string[];
  readonly zero: string;
  /** A path, or a name to look up on the PATH inside. */
  readonly program: string;
  readonly otherwise?: string | undefined;
  /** It is a shell on a terminal, and shall say where it is. */
  readonly prompt?: boolean | undefined;
  readonly args: readonly string[];
  readonly environment: readonly string[];
  readonly path: string | undefined;
  /** The container of somebody else that this is in already, if any. */
  readonly within?: string | undefined;
}
/** Without a container of ours: inside one already, or a command of the host. */
export interface ProgramPlan {
  readonly kind: 'program';
  readonly zero: string;
  readonly program: string;
  readonly otherwise?: string | undefined;
  /** It is a shell on a terminal, and shall say where it is. */
  readonly prompt?: boolean | undefined;
  readonly args: readonly string[];
  readonly environment: readonly string[];
  readonly path: string | undefined;
  /** Why, for --explain. */
  readonly because: string;
}
interface SayPlan {
  readonly kind: 'say';
  readonly text: string;
}
/** 125: the launcher's own failure, 126: not executable, 127: not found. */
interface FailPlan {
  readonly kind: 'fail';
  readonly status: 125 | 126 | 127;
  readonly message: string;
}
/** What the caller wants of a plan. */
export type Purpose = 'run' | 'explain' | 'explain-json' | 'start-session';
export type LaunchPlan = LayerPlan | ContainerPlan | ProgramPlan | SayPlan | FailPlan;

const fail = (status: FailPlan['status'], what: string, where: string, whatToDo: string): FailPlan => ({
  kind: 'fail',
  status,
  message: [what, where, whatToDo].join(', '),
});

export function planLaunch(
  invocation: Invocation,
  facts: LauncherFacts,
  sight: Sight,
): { plan: LaunchPlan; purpose: Purpose } {
  const name = nameOfCommand(invocation.self, sight);
  if (name !== 'launcher') return { plan: planCommand(name, invocation, facts, sight), purpose: 'run' };
  const options = parseOptions(invocation.args);
  if ('unknown' in options) {
    return {
      plan: fail(
        125,
        'unknown option',
        options.unknown,
        'see launcher --help; options of the command go after its name',
      ),
      purpose: 'run',
    };
  }
  if ('capsule' in options) {
    return { plan: planArrived(options.capsule, invocation, facts, sight), purpose: 'run' };
  }
  if ('layer' in options) {
    if (!sight.isThere(facts.marker)) {
      return { plan: { kind: 'layer', directory: options.layer, pip: options.pip }, purpose: 'run' };
    }
    const toDo = 'make the layer outside';
    return { plan: fail(125, 'this is inside the container already', facts.marker, toDo), purpose: 'run' };
  }
  if (options.say === 'help') return { plan: { kind: 'say', text: USAGE }, purpose: 'run' };
  if (options.say === 'version') return { plan: { kind: 'say', text: describeVersion(facts) }, purpose: 'run' };
  if (options.purpose === 'start-session') {
    if (facts.sessions === undefined) {
      const toDo = 'commands start without one';
      return { plan: fail(125, 'this site has no sessions', facts.fullName, toDo), purpose: 'run' };
    }
    if (sight.isThere(facts.marker)) {
      const toDo = 'start a session outside';
      return { plan: fail(125, 'this is inside the container already', facts.marker, toDo), purpose: 'run' };
    }
  }
  return { plan: planDirect(options.command, invocation, facts, sight), purpose: options.purpose };
}

/**
 * The link's own name. A venv that a venv's python makes has links of the name that their target has, `launcher`, which
 * both mean python: venv/__init__.py takes the name from sys._base_executable, the end of the chain of links.
 */
function nameOfCommand(self: string, sight: Sight): string {
  const slash = self.lastIndexOf('/');
  const name = self.slice(slash + 1);
  return name === 'launcher' && slash >= 0 && sight.isThere(`${self.slice(0, slash)}/../pyvenv.cfg`) ? 'python' : name;
}

function describeVersion(facts: LauncherFacts): string {
  return `${facts.fullName}\nrelease   ${facts.releaseId}\ncondense  ${facts.condenseVersion ?? '(unknown)'}\n`;
}

/** A link of the farm was called. */
function planCommand(name: string, invocation: Invocation, facts: LauncherFacts, sight: Sight): LaunchPlan {
  const chosen = chooseRelease(invocation, facts, sight);
  const { release } = chosen;
  const inside = sight.isThere(facts.marker);
  const isOutside = facts.outsideCommands.includes(name);
  let { environment } = invocation;
  let comesAlong = inherited(environment, facts);
  if (!inside || isOutside) {
    const file = `${release}/overrides/${name}.env`;
    const text = sight.readText(file);
    const settings = text === undefined ? environment : applySettings(environment, text);
    const settingsInside = text === undefined ? comesAlong : applySettings(comesAlong, text);
    if (typeof settings === 'number' || typeof settingsInside === 'number') {
      return fail(
        125,
        'this line is not KEY=VALUE',
        `${file}:${String(settings)}`,
        'ask the maintainers of the environment to mend it',
      );
    }
    environment = settings;
    comesAlong = settingsInside;
    const override = `${release}/overrides/${name}`;
    if (sight.isProgram(override)) {
      return {
        ...asProgram(override, override, invocation.args, environment),
        because: 'an override replaces the command',
      };
    }
  }
  if (isOutside) {
    const program = findOutside(name, valueOf(environment, 'PATH'), facts, sight);
    if (program === undefined)
      return fail(127, `the host has no ${name}`, 'PATH, farms left out', 'load the module that brings it');
    const args = planOutsideArguments(name, invocation.args, { isInside: inside, release, environment }, facts, sight);
    const path = inside ? pathOutside(valueOf(environment, 'PATH'), release, facts) : undefined;
    return { ...asProgram(program, program, args, environment), path, because: 'it is a command of the host' };
  }
  const program = `${facts.condaPrefix}/bin/${name}`;
  if (inside) {
    if (!sight.isThere(program)) {
      return fail(
        127,
        `${facts.fullName} has no command ${name}`,
        program,
        `see what it has with: ls ${facts.condaPrefix}/bin`,
      );
    }
    if (!sight.isProgram(program)) return fail(126, 'this is not a program', program, 'run it through its interpreter');
    return {
      ...asProgram(invocation.self, program, invocation.args, environment),
      because: `this is inside the container of ${facts.fullName}`,
    };
  }
  const path = pathInside(valueOf(comesAlong, 'PATH'), facts, sight);
  return planContainer(
    { zero: invocation.self, program, args: invocation.args, environment: comesAlong, path },
    chosen,
    invocation,
    facts,
    sight,
  );
}

function inherited(environment: readonly string[], facts: LauncherFacts): readonly string[] {
  return facts.inherit === undefined ? environment : inheritEnvironment(environment, facts.inherit);
}

/** The launcher was called by its own name. */
function planDirect(
  command: readonly string[],
  invocation: Invocation,
  facts: LauncherFacts,
  sight: Sight,
): LaunchPlan {
  const { environment } = invocation;
  const chosen = chooseRelease(invocation, facts, sight);
  const path = pathInside(valueOf(environment, 'PATH'), facts, sight, `${chosen.release}/bin`);
  const isShell = command.length === 0;
  const [program = '', ...args] = isShell ? planShell(invocation, facts) : command;
  const start = {
    zero: program,
    program,
    otherwise: isShell ? '/bin/bash' : undefined,
    prompt: isShell && invocation.onTerminal && !['fish'].includes(baseName(program)),
    args,
    environment,
    path,
  };
  if (sight.isThere(facts.marker)) {
    return { kind: 'program', ...start, because: `this is inside the container of ${facts.fullName}` };
  }
  return planContainer({ ...start, environment: inherited(environment, facts) }, chosen, invocation, facts, sight);
}

/** The user's shell; on a terminal it says where it is, without a touch to the user's start-up files. */
function planShell({ environment, onTerminal }: Invocation, facts: LauncherFacts): [string, ...string[]] {
  const shell = valueOf(environment, 'SHELL') ?? '';
  const program = shell.startsWith('/') ? shell : '/bin/bash';
  // -C is what fish runs after its own start-up files; for bash render-plan.ts sees to it, other shells have no such option.
  return onTerminal && baseName(program) === 'fish' ? [program, '-C', fishPrompt(facts.fullName)] : [program];
}

function fishPrompt(fullName: string): string {
  return `functions -c fish_prompt __condense_prompt; function fish_prompt; printf '(%s) ' ${fullName}; __condense_prompt; end`;
}

const baseName = (path: string): string => path.slice(path.lastIndexOf('/') + 1);

/** The side that it was sent from: in the container, or outside. */
function planArrived(capsule: Capsule, invocation: Invocation, facts: LauncherFacts, sight: Sight): LaunchPlan {
  const { environment, words } = planArrival(capsule, invocation.environment);
  const [program = '', ...args] = words;
  const start = { zero: program, program, args, environment, path: undefined };
  if (capsule.side === 'host' || sight.isThere(facts.marker)) {
    return { kind: 'program', ...start, because: 'it was sent by another host' };
  }
  const chosen = chooseRelease({ ...invocation, environment }, facts, sight);
  return planContainer({ ...start, environment: inherited(environment, facts) }, chosen, invocation, facts, sight);
}

function asProgram(
  zero: string,
  program: string,
  args: readonly string[],
  environment: readonly string[],
): Omit<ProgramPlan, 'because'> {
  return { kind: 'program', zero, program, args, environment, path: undefined };
}

/** The release that the job is pinned to while it is there, otherwise the launcher's own. */
function chooseRelease(invocation: Invocation, facts: LauncherFacts, sight: Sight): ChosenRelease {
  const own = `${facts.releasesDir}/${facts.releaseId}`;
  const pin = valueOf(invocation.environment, 'CONDENSE_RELEASE');
  const [fullName, id] = split(pin ?? '');
  const because = pin === undefined ? "it is the launcher's own" : "it is the launcher's own; CONDENSE_RELEASE ";
  if (fullName !== facts.fullName || !/^[0-9A-Za-z-]+$/.test(id))
    return { release: own, releaseBecause: pin === undefined ? because : `${because}is for another environment` };
  const pinned = `${facts.releasesDir}/${id}`;
  return sight.isReadable(`${pinned}/env.sqsh`)
    ? { release: pinned, releaseBecause: 'CONDENSE_RELEASE names it' }
    : { release: own, releaseBecause: `${because}names ${id}, which is gone` };
}

/** As CONDENSE_RELEASE has it. */
export function nameRelease({ release }: Pick<ChosenRelease, 'release'>, { fullName }: LauncherFacts): string {
  return `${fullName}/${baseName(release)}`;
}

interface ChosenRelease {
  readonly release: string;
  readonly releaseBecause: string;
}

function split(pin: string): [string, string] {
  const slash = pin.indexOf('/');
  return slash < 0 ? [pin, ''] : [pin.slice(0, slash), pin.slice(slash + 1)];
}

/** A container of somebody else's, or of another environment: by its own word. */
function containerOf({ environment }: Invocation): string {
  const name = valueOf(environment, 'APPTAINER_CONTAINER') ?? valueOf(environment, 'SINGULARITY_CONTAINER');
  return name ?? 'a container without a name';
}

/** What to do where no container can be started in a container: the marker tells the launcher that the image is there. */
export function startedOtherwise(image: string): string {
  return `leave it first, or start it with the image: APPTAINER_OVERLAYIMAGE=${image}:ro`;
}

type Start = Pick<ContainerPlan, 'zero' | 'program' | 'otherwise' | 'prompt' | 'args' | 'environment' | 'path'>;

function planContainer(
  start: Start,
  chosen: ChosenRelease,
  invocation: Invocation,
  facts: LauncherFacts,
  sight: Sight,
): LaunchPlan {
  const image = `${chosen.release}/env.sqsh`;
  const within = sight.isThere('/.singularity.d') ? containerOf(invocation) : undefined;
  if (!sight.isProgram(facts.runtime)) {
    if (within !== undefined) {
      const what = `${facts.fullName} cannot start inside another container, which does not show ${facts.runtime}`;
      return fail(125, what, within, startedOtherwise(image));
    }
    return fail(
      125,
      'the container runtime is missing on this node',
      facts.runtime,
      'tell the maintainers of the node',
    );
  }
  if (!sight.isReadable(image)) {
    const toDo =
      facts.usersGroup === undefined
        ? 'tell the maintainers of the environment'
        : `join the group ${facts.usersGroup}, then log in again`;
    return sight.isThere(image)
      ? fail(125, `you may not read the image of ${facts.fullName}`, image, toDo)
      : fail(125, `the image of ${facts.fullName} is missing or out of your reach`, image, toDo);
  }
  if (!sight.isReadable(facts.base)) {
    return fail(125, 'the base container cannot be read', facts.base, 'tell the maintainers of the environment');
  }
  const list = valueOf(start.environment, 'CONTAINER_OVERLAY_PATH') ?? '';
  const over = planOverlays(list, nameRelease(chosen, facts), facts, sight);
  if ('problem' in over) return fail(125, ...over.problem);
  const binds = outermost([...facts.binds, ...facts.farmRoots]).filter((directory) => sight.isThere(directory));
  return { kind: 'container', ...chosen, image, ...over, binds, within, ...start };
}

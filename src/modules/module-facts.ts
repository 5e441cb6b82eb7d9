// What a modulefile of one release says, whichever language it is written in.
import type { ActivationDiff, ActivationChange } from './activation-diff.ts';

export interface ModuleFacts {
  readonly site: string;
  /** `conda`: only one module of a family is loaded at a time. */
  readonly family: string;
  readonly fullName: string;
  readonly releaseId: string;
  /** The farm as users see it: goes in front of PATH. */
  readonly farm: string;
  readonly activation: ActivationDiff;
  /** What the module sets besides. */
  readonly variables: Readonly<Record<string, string>>;
  /** What the module defines besides; files that shells source do not, where a conda of the user's own may be. */
  readonly functions: readonly ActivationChange[];
  /** An entry for JUPYTER_PATH, where the environment has Jupyter: its servers offer every kernel of the site. */
  readonly jupyterPath?: string | undefined;
  /** What it sets to paths in a directory of the user's own. */
  readonly own?: OwnSettings | undefined;
  /** Modules that it needs. */
  readonly prerequisites: readonly string[];
  readonly notices: readonly ModuleNotice[];
  /** `name version` lines for `module help`. */
  readonly packages: readonly string[];
  /** Whether it brings a python3: then no other module of Lmod's family `python` is loaded with it. */
  readonly hasPython: boolean;
}

export interface OwnSettings {
  /** The directory, in pieces: `/scratch/`, the variable `USER`, `/conda`. */
  readonly pieces: readonly OwnPiece[];
  /** Each is set to the directory with this text behind it. */
  readonly settings: readonly { readonly name: string; readonly after: string }[];
}

export interface OwnPiece {
  readonly isVariable: boolean;
  readonly text: string;
}

/** @param directory `/scratch/$USER/conda` */
export function parseOwnDirectory(directory: string): OwnPiece[] {
  return directory
    .split(/(\$[A-Za-z_][A-Za-z0-9_]*)/)
    .filter((piece) => piece !== '')
    .map((piece) =>
      piece.startsWith('$') ? { isVariable: true, text: piece.slice(1) } : { isVariable: false, text: piece },
    );
}

/** For a template: nothing, or all that has to be set. */
export function planOwn({ own }: ModuleFacts): { own: OwnSettings[]; variables: string[] } {
  const variables = (own?.pieces ?? []).filter(({ isVariable }) => isVariable).map(({ text }) => text);
  return { own: own ? [own] : [], variables: [...new Set(variables)] };
}

/** Said when the module is loaded after a time; never a failure. */
export interface ModuleNotice {
  /** Seconds since 1970. */
  readonly afterSeconds: number;
  readonly text: string;
}

/** The names of what the module sets, PATH left out. */
export function listModuleVariables(facts: ModuleFacts): string[] {
  return planModuleChanges(facts)
    .filter(({ kind, name }) => kind !== 'alias' && kind !== 'function' && name !== 'PATH')
    .map(({ name }) => name)
    .concat(facts.own?.settings.map(({ name }) => name) ?? []);
}

/** What loading does, in order. */
export function planModuleChanges(facts: ModuleFacts): ActivationChange[] {
  return [
    ...facts.activation.changes.filter(({ kind }) => kind !== 'backup'),
    ...Object.entries(facts.variables).map(([name, value]) => ({ kind: 'set' as const, name, value })),
    ...facts.functions,
    ...(facts.jupyterPath === undefined
      ? []
      : [{ kind: 'prepend' as const, name: 'JUPYTER_PATH', entries: [facts.jupyterPath] }]),
    // Later commands of this job stay with this release (launcher, "Pin").
    { kind: 'set', name: 'CONDENSE_RELEASE', value: `${facts.fullName}/${facts.releaseId}` },
    { kind: 'prepend', name: 'PATH', entries: [facts.farm] },
  ];
}

/** What sourcing a file does instead. */
export const planSourcedChanges = (facts: ModuleFacts): ActivationChange[] =>
  planModuleChanges({ ...facts, functions: [] });

/** For `module help`. */
export function describeModule(facts: ModuleFacts): string {
  return [
    `${facts.fullName}: a conda environment of ${facts.site}, release ${facts.releaseId}.`,
    `Its commands are on PATH after loading; scripts can start with #!${facts.farm}/python3.`,
    '',
    `${facts.packages.length} packages:`,
    ...facts.packages.map((line) => `  ${line}`),
  ].join('\n');
}

/** For `module whatis` and, in Lmod, for `module keyword` and `module spider`. */
export function describeWhatis(facts: ModuleFacts): string {
  return `Conda environment ${facts.fullName} of ${facts.site} (release ${facts.releaseId})`;
}

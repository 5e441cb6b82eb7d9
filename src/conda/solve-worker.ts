// Runs the solver in a thread of its own: WebAssembly that fails throws where nobody can catch it, and takes the thread with it.
import { parentPort, workerData } from 'node:worker_threads';
import { promisify } from 'node:util';
import { zstdDecompress } from 'node:zlib';
import { simpleSolve, Version } from '@conda-org/rattler';
import { closest, distance } from 'fastest-levenshtein';
import { errorMessage } from '../system/app-error.ts';
import { readBytes } from '../system/files.ts';
import { indexRepodata } from './repodata-index.ts';
import { firstChannelWith, selectRecords, type IndexedSubdir, type Selection } from './repodata-selection.ts';
import { pinPackage } from './solve-problem.ts';
import { planSolverSpec, type SolverSpec } from './spec-filter.ts';
import type { VirtualPackage } from './virtual-packages.ts';

export interface SolveTask {
  readonly specs: readonly {
    readonly text: string;
    readonly name: string;
    readonly channel?: number | undefined;
    /** Constrains what is installed, and installs nothing. Pins come after the other specs. */
    readonly isPin: boolean;
  }[];
  readonly subdirs: readonly { readonly channel: number; readonly subdir: string; readonly file: string }[];
  readonly platform: string;
  readonly virtualPackages: readonly VirtualPackage[];
}

export interface SolvedFile {
  readonly channel: number;
  readonly subdir: string;
  readonly file: string;
  readonly name: string;
  readonly version: string;
  readonly build: string;
  readonly buildNumber: number;
  readonly sha256?: string | undefined;
  readonly md5?: string | undefined;
  readonly sizeBytes?: number | undefined;
  /** CEP 15: where the packages of this subdir are, when not beside the repodata. */
  readonly baseUrl?: string | undefined;
}

export type SolveAnswer =
  | { readonly kind: 'solved'; readonly files: readonly SolvedFile[]; readonly refused: readonly string[] }
  | { readonly kind: 'invalid-specs'; readonly specs: readonly { readonly spec: number; readonly why: string }[] }
  | {
      readonly kind: 'unknown-names';
      readonly specs: readonly { readonly spec: number; readonly similar: readonly string[] }[];
    }
  | {
      readonly kind: 'unsatisfiable';
      readonly explanation: string;
      /** Names that a later channel has too: strict priority hid those. */
      readonly hidden: readonly string[];
      /** For each name of a spec, the versions that could be taken, newest first. */
      readonly available: Readonly<Record<string, readonly string[]>>;
      readonly refused: readonly string[];
    }
  | { readonly kind: 'bad-repodata'; readonly subdir: number; readonly why: string };

/** All records are given to the solver as one channel; which one each is from is looked up afterwards. */
const SOLVER_CHANNEL = 'http://channel.invalid';
/** What the solver's own message starts with when it has understood the specs but finds no answer. */
const NO_ANSWER = 'Cannot solve the request because of: ';
/** Four times conda-forge's largest: more is an attack or a mistake. */
const MAX_REPODATA_BYTES = 2 ** 31;

async function solve(task: SolveTask): Promise<SolveAnswer> {
  const { specs, invalid } = await readSpecs(task);
  if (invalid.length > 0) return { kind: 'invalid-specs', specs: invalid };

  const subdirs: IndexedSubdir[] = [];
  for (const [position, { channel, subdir, file }] of task.subdirs.entries()) {
    try {
      subdirs.push({ channel, subdir, index: indexRepodata(await readRepodata(file)) });
    } catch (error) {
      return { kind: 'bad-repodata', subdir: position, why: errorMessage(error) };
    }
  }

  const unknown = findUnknownNames(task, subdirs);
  if (unknown.length > 0) return { kind: 'unknown-names', specs: unknown };

  const requested = specs.filter(({ isPin }) => !isPin);
  const pins = specs.filter(({ isPin }) => isPin);
  const names = requested.map(({ name }) => name);
  const ofChannel = new Map(
    task.specs.flatMap(({ name, channel }) => (channel === undefined ? [] : [[name, channel]])),
  );
  const all = selectRecords(subdirs, names, ofChannel, isVersion);
  const selection = filterRecords(all, specs);
  const unsatisfiable = (explanation: string): SolveAnswer => ({
    kind: 'unsatisfiable',
    explanation: [explanation, ...describeEmptyPins(explanation, selection, pins)].join('\n'),
    hidden: names.filter((name) => {
      const first = firstChannelWith(subdirs, name);
      return subdirs.some(({ channel, index }) => channel !== first && index.places.has(name));
    }),
    available: Object.fromEntries(names.map((name) => [name, availableVersions(name, all)])),
    refused: all.refused,
  });
  const emptied = requested.find(({ name, matches }) => matches && !hasName(selection, name));
  // In the solver's words, which are read where they are described.
  if (emptied) return unsatisfiable(`No candidates were found for ${emptied.name} ${emptied.written}.`);
  serveToSolver(renderSolverRepodata(selection, task, pins), task.platform);
  try {
    // The type of platforms has no plain string.
    const platforms = [task.platform, 'noarch'] as Parameters<typeof simpleSolve>[2];
    const solved = await simpleSolve(
      [...requested.map(({ text }) => text), ...pins.map((_, position) => pinPackage(position))],
      [SOLVER_CHANNEL],
      platforms,
      undefined,
    );
    const files = solved.flatMap(({ subdir, filename }) => {
      const selected = selection.records.get(`${subdir ?? ''}/${filename}`);
      return selected ? [describeFile(selected)] : [];
    });
    const virtual = solved.filter(({ packageName }) => packageName.startsWith('__')).length;
    if (files.length + virtual !== solved.length)
      throw new Error('the solver answered with a package it was not given');
    return { kind: 'solved', files, refused: selection.refused };
  } catch (error) {
    // The solver throws text.
    if (typeof error !== 'string' || !error.startsWith(NO_ANSWER)) throw error;
    return unsatisfiable(error.slice(NO_ANSWER.length).trimEnd());
  }
}

type ReadSpec = SolveTask['specs'][number] & SolverSpec & { readonly written: string };

/** Each spec alone against nothing: the solver reads specs first, and says so when it cannot. */
async function readSpecs(task: SolveTask): Promise<{ specs: ReadSpec[]; invalid: { spec: number; why: string }[] }> {
  const specs: ReadSpec[] = [];
  const invalid: { spec: number; why: string }[] = [];
  for (const [spec, asked] of task.specs.entries()) {
    try {
      const planned = planSolverSpec(asked.text);
      specs.push({ ...asked, ...planned, written: asked.text.slice(asked.name.length) });
      await simpleSolve([planned.text], [], [], undefined);
    } catch (error) {
      // What WebAssembly throws when it panics.
      if (error instanceof Error && error.name === 'RuntimeError') throw error;
      const why = errorMessage(error);
      if (!why.startsWith(NO_ANSWER)) invalid.push({ spec, why });
    }
  }
  return { specs, invalid };
}

/** Without the records that a spec or a pin of their name does not match. */
function filterRecords(selection: Selection, specs: readonly ReadSpec[]): Selection {
  const filters = specs.filter(({ matches }) => matches);
  if (filters.length === 0) return selection;
  const kept = [...selection.records].filter(([, { record, file }]) =>
    filters.every(({ name, matches }) => name !== record.name || matches?.({ ...record, file }) !== false),
  );
  return { ...selection, records: new Map(kept) };
}

/** Pins that leave nothing of a package that the explanation misses: in the solver's words, as for a spec. */
function describeEmptyPins(explanation: string, selection: Selection, pins: readonly ReadSpec[]): string[] {
  const words = new Set(explanation.split(/[\s,]+/));
  return pins.flatMap(({ name, channel, matches }, position) => {
    const isLimit = channel !== undefined || matches !== undefined;
    if (!isLimit || !words.has(name) || hasName(selection, name)) return [];
    return [`No candidates were found for ${pinPackage(position)} *.`];
  });
}

const hasName = ({ records }: Selection, name: string): boolean =>
  [...records.values()].some(({ record }) => record.name === name);

function findUnknownNames(task: SolveTask, subdirs: readonly IndexedSubdir[]): { spec: number; similar: string[] }[] {
  const virtual = new Set(task.virtualPackages.map(({ name }) => name));
  return task.specs.flatMap(({ name, channel, isPin }, spec) => {
    if (isPin) return [];
    const searched = channel === undefined ? subdirs : subdirs.filter((subdir) => subdir.channel === channel);
    if (virtual.has(name) || firstChannelWith(searched, name) !== undefined) return [];
    return [{ spec, similar: similarNames(name, searched) }];
  });
}

/** At most three, nearest first; nothing that shares less than half with what was asked for. */
function similarNames(name: string, subdirs: readonly IndexedSubdir[]): string[] {
  const candidates = new Set(subdirs.flatMap(({ index }) => [...index.places.keys()]));
  const similar: string[] = [];
  while (similar.length < 3 && candidates.size > 0) {
    const nearest = closest(name, [...candidates]);
    if (distance(name, nearest) > Math.max(1, Math.floor(name.length / 3))) break;
    similar.push(nearest);
    candidates.delete(nearest);
  }
  return similar;
}

async function readRepodata(file: string): Promise<Buffer> {
  const bytes = await readBytes(file);
  if (!file.endsWith('.zst')) return bytes;
  return await promisify(zstdDecompress)(bytes, { maxOutputLength: MAX_REPODATA_BYTES });
}

function availableVersions(name: string, { records }: Selection): string[] {
  const versions = new Set<string>();
  for (const { record } of records.values()) if (record.name === name) versions.add(record.version);
  return [...versions].sort((a, b) => new Version(b).compare(new Version(a)));
}

function isVersion(text: string): boolean {
  try {
    new Version(text).free();
    return true;
  } catch {
    return false; // it throws for whatever it cannot read, and for nothing else
  }
}

/** repodata.json of each subdir; in one order, whatever the channel's, so that equal inputs give equal answers. */
function renderSolverRepodata(
  selection: Selection,
  task: SolveTask,
  pins: readonly ReadSpec[],
): ReadonlyMap<string, string> {
  const members = new Map<string, string[]>();
  const add = (subdir: string, file: string, record: unknown): void => {
    const section = `${subdir} ${file.endsWith('.conda') ? 'packages.conda' : 'packages'}`;
    const texts = members.get(section) ?? [];
    if (texts.length === 0) members.set(section, texts);
    texts.push(`${JSON.stringify(file)}:${JSON.stringify(record)}`);
  };
  for (const key of [...selection.records.keys()].sort()) {
    const selected = selection.records.get(key);
    if (selected) add(selected.from.subdir, selected.file, selected.record);
  }
  for (const { name, version, build } of task.virtualPackages) {
    const record = { name, version, build, build_number: 0, depends: [], subdir: 'noarch' };
    add('noarch', `${name}-${version}-${build}.conda`, record);
  }
  // The solver has no specs that install nothing: a pin is a package that constrains, as conda's own solver has it.
  for (const [position, { text }] of pins.entries()) {
    const name = pinPackage(position);
    const record = {
      name,
      version: '1',
      build: '0',
      build_number: 0,
      depends: [],
      constrains: [text],
      subdir: 'noarch',
    };
    add('noarch', `${name}-1-0.conda`, record);
  }
  // Joined as text: half a million members make a slow object.
  const render = (subdir: string, section: string) =>
    `"${section}":{${(members.get(`${subdir} ${section}`) ?? []).join(',')}}`;
  return new Map(
    [task.platform, 'noarch'].map((subdir) => {
      const info = JSON.stringify({ subdir });
      return [subdir, `{"info":${info},${render(subdir, 'packages')},${render(subdir, 'packages.conda')}}`];
    }),
  );
}

/** The solver can only fetch: in this thread, fetch answers from memory and reaches nothing else. */
function serveToSolver(repodata: ReadonlyMap<string, string>, platform: string): void {
  globalThis.fetch = (input) => {
    const url = input instanceof Request ? input.url : String(input);
    const subdir = [platform, 'noarch'].find((name) => url === `${SOLVER_CHANNEL}/${name}/repodata.json`);
    const body = subdir === undefined ? undefined : repodata.get(subdir);
    const response = new Response(body ?? '', { status: body === undefined ? 404 : 200 });
    // It reads the URL of what it got, which a Response made by hand does not have.
    Object.defineProperty(response, 'url', { value: url });
    return Promise.resolve(response);
  };
}

function describeFile({ record, file, from }: NonNullable<ReturnType<Selection['records']['get']>>): SolvedFile {
  const info = from.index.info as { readonly base_url?: unknown } | null | undefined;
  return {
    channel: from.channel,
    subdir: from.subdir,
    file,
    name: record.name,
    version: record.version,
    build: record.build,
    buildNumber: record.build_number,
    sha256: record.sha256,
    md5: record.md5,
    sizeBytes: record.size,
    baseUrl: typeof info?.base_url === 'string' ? info.base_url : undefined,
  };
}

parentPort?.postMessage(await solve(workerData as SolveTask));

// Runs the solver in a thread of its own: WebAssembly that fails throws where nobody can catch it, and takes the thread with it.
import { parentPort, workerData } from 'node:worker_threads';
import { simpleSolve, Version } from '@conda-org/rattler';
import { errorMessage } from '../system/app-error.ts';
import { BadRepodata, openRecordSource } from './record-source.ts';
import { describeExcluded, excludeNewer, findGone, findLessPreferred, isKept, keepOnly } from './kept-records.ts';
import {
  firstChannelWith,
  selectRecords,
  type IndexedSubdir,
  type SelectedRecord,
  type Selection,
} from './repodata-selection.ts';
import { pinPackage } from './solve-problem.ts';
import type { KeptFile, ShardsFetched, ShardsWanted, SolveAnswer, SolvedFile, SolveTask } from './solve-task.ts';
import { renderSolverRepodata, serveToSolver, SOLVER_CHANNEL } from './solver-repodata.ts';
import { planSolverSpec, type SolverSpec } from './spec-filter.ts';
import { findUnknownNames } from './unknown-names.ts';

/** What the solver's own message starts with when it has understood the specs but finds no answer. */
const NO_ANSWER = 'Cannot solve the request because of: ';

async function solve(task: SolveTask): Promise<SolveAnswer> {
  const { specs, invalid } = await readSpecs(task);
  if (invalid.length > 0) return { kind: 'invalid-specs', specs: invalid };

  const subdirs: IndexedSubdir[] = [];
  for (const [position, { channel, subdir, ...written }] of task.subdirs.entries())
    subdirs.push({ channel, subdir, source: await openRecordSource(position, written, askForShards) });

  const unknown = findUnknownNames(task, subdirs);
  if (unknown.length > 0) return { kind: 'unknown-names', specs: unknown };

  const requested = specs.filter(({ isPin }) => !isPin);
  const pins = specs.filter(({ isPin }) => isPin);
  const names = requested.map(({ name }) => name);
  const ofChannel = new Map(
    task.specs.flatMap(({ name, channel }) => (channel === undefined ? [] : [[name, channel]])),
  );
  const all = await selectRecords(subdirs, names, ofChannel, isVersion);
  const current = excludeNewer(all, task.excludeNewerMs);
  const gone = task.keep?.how === 'only' ? findGone(current, task.keep.packages) : [];
  if (gone.length > 0) return { kind: 'kept-gone', names: gone };
  const selection = keepOnly(filterRecords(current, specs), task.keep);
  const unsatisfiable = (explanation: string): SolveAnswer => ({
    kind: 'unsatisfiable',
    explanation: [
      explanation,
      ...describeEmptyPins(explanation, selection, pins),
      ...describeExcluded(all.records.size - current.records.size, task.excludeNewerMs),
    ].join('\n'),
    hidden: names.filter((name) => {
      const first = firstChannelWith(subdirs, name);
      return subdirs.some(({ channel, source }) => channel !== first && source.has(name));
    }),
    available: Object.fromEntries(names.map((name) => [name, availableVersions(name, all)])),
    refused: all.refused,
  });
  const emptied = requested.find(({ name, matches }) => matches && !hasName(selection, name));
  // In the solver's words, which are read where they are described.
  if (emptied) return unsatisfiable(`No candidates were found for ${emptied.name} ${emptied.written}.`);
  const askOnce = async (preferred: readonly KeptFile[]): Promise<readonly SolvedFile[]> => {
    serveToSolver(renderSolverRepodata(selection, task, pins, findLessPreferred(selection, preferred)), task.platform);
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
    return files;
  };
  try {
    const preferred = task.keep?.how === 'prefer' ? task.keep.packages : [];
    const files = await askOnce(preferred);
    // What cannot stay is chosen as if it had never been locked.
    const staying = preferred.filter((kept) => files.every((file) => file.name !== kept.name || isKept(file, kept)));
    return {
      kind: 'solved',
      files: staying.length < preferred.length ? await askOnce(staying) : files,
      refused: selection.refused,
    };
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

function describeFile({ record, file, from }: SelectedRecord): SolvedFile {
  const info = from.source.info as { readonly base_url?: unknown } | null | undefined;
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
    depends: record.depends,
  };
}

let asked = 0;

/** The thread that started this one has the network, with its proxies and credentials. */
async function askForShards(wanted: Omit<ShardsWanted, 'kind' | 'id'>): Promise<readonly Uint8Array[]> {
  const id = ++asked;
  const { promise, resolve } = Promise.withResolvers<readonly Uint8Array[]>();
  const listen = (fetched: ShardsFetched): void => {
    if (fetched.id !== id) return;
    parentPort?.off('message', listen);
    resolve(fetched.shards);
  };
  parentPort?.on('message', listen);
  parentPort?.postMessage({ ...wanted, kind: 'shards-wanted', id } satisfies ShardsWanted);
  return await promise;
}

async function answer(task: SolveTask): Promise<SolveAnswer> {
  try {
    return await solve(task);
  } catch (error) {
    if (error instanceof BadRepodata) return { kind: 'bad-repodata', subdir: error.subdir, why: error.message };
    throw error;
  }
}

parentPort?.postMessage(await answer(workerData as SolveTask));

// A pip section with everything that it names on this machine: what pip will be asked, and the digest of all of it.
import path from 'node:path';
import type { SpecLine } from '../config/environment-spec.ts';
import { AppError, type Problem } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import {
  digestFile,
  digestText,
  pathExists,
  readdir,
  readLinkIfThere,
  readText,
  stat,
  walkTree,
} from '../system/files.ts';
import { redactUrls } from '../system/redact-urls.ts';
import type { LockedPackage } from '../conda/lock.ts';
import { describePipLine, parsePipLines, parseRequirementsFile, type PipItem } from './pip-lines.ts';
import { renderRequirement, type Requirement } from './requirement.ts';

export interface PipSection {
  readonly requirements: readonly WantedRequirement[];
  readonly constraints: readonly WantedRequirement[];
  /** The options of all files, in their order. */
  readonly indexes: readonly IndexOption[];
  readonly flags: readonly string[];
  /** What is on this machine, by its absolute path. */
  readonly local: ReadonlyMap<string, LocalSource>;
}

export interface WantedRequirement {
  readonly requirement: Requirement;
  readonly hashes: readonly string[];
  readonly line: SpecLine;
}

export interface IndexOption {
  readonly kind: 'index' | 'extra-index' | 'find-links';
  /** A URL as written, or the absolute path of a directory. */
  readonly place: string;
  readonly line: SpecLine;
}

export interface LocalSource {
  readonly kind: 'file' | 'project' | 'links';
  /** Of a file's bytes; of the names and bytes of a project's files; of the names and bytes in a directory of links. */
  readonly digest: string;
}

interface Reading {
  /** Where conda starts pip: the directory of environment.yml. */
  readonly root: string;
  readonly requirements: WantedRequirement[];
  readonly constraints: WantedRequirement[];
  readonly indexes: IndexOption[];
  readonly flags: string[];
  readonly local: Map<string, LocalSource>;
  readonly problems: Problem[];
}

/**
 * @param lines of the `pip:` section of `specFile`
 * @throws AppError PIP_LINE_INVALID, each with its place: lines that are not understood, files that are not there
 */
export async function readPipSection(lines: readonly SpecLine[], specFile: string): Promise<PipSection> {
  const reading: Reading = {
    root: path.dirname(specFile),
    ...{ requirements: [], constraints: [], indexes: [], flags: [], problems: [] },
    local: new Map(),
  };
  await readItems(parsePipLines(lines), { reading, files: [specFile], constraint: false });
  if (reading.problems.length > 0) throw new AppError(EXIT.configuration, reading.problems);
  return reading;
}

interface Within {
  readonly reading: Reading;
  /** The files that led here, this one last. */
  readonly files: readonly string[];
  readonly constraint: boolean;
}

async function readItems(items: readonly PipItem[], within: Within): Promise<void> {
  const { reading, files, constraint } = within;
  const here = path.dirname(files.at(-1) ?? '');
  for (const item of items) {
    if (item.kind === 'flag') reading.flags.push(item.text);
    else if (item.kind === 'requirement') {
      (constraint ? reading.constraints : reading.requirements).push(await withLocal(item, reading));
    } else if (item.kind === 'include') {
      const file = path.resolve(here, item.file);
      await readInclude(file, item.line, { ...within, constraint: constraint || item.constraint });
    } else if (item.kind === 'find-links' && !/^https?:/i.test(item.place)) {
      await readLinks(item.place.replace(/^file:(?:\/\/(?=\/))?/i, ''), here, item.line, reading);
    } else reading.indexes.push(item);
  }
}

async function readInclude(file: string, line: SpecLine, within: Within): Promise<void> {
  const { problems } = within.reading;
  if (within.files.includes(file) || within.files.length > 20) {
    problems.push(describePipLine(line, `${file} leads to itself`));
    return;
  }
  let items: readonly PipItem[];
  try {
    items = parseRequirementsFile(await readText(file), file);
  } catch (error) {
    if (error instanceof AppError) problems.push(...error.problems);
    else problems.push(describePipLine(line, describeMissing(error, file), `ls -l ${file}`));
    return;
  }
  await readItems(items, { ...within, files: [...within.files, file] });
}

/** With the absolute path. pip: relative to where it was started, whichever file names it. */
async function withLocal(wanted: WantedRequirement, reading: Reading): Promise<WantedRequirement> {
  const { requirement, line } = wanted;
  if (requirement.source.kind !== 'path') return wanted;
  const at = path.resolve(reading.root, requirement.source.path);
  try {
    const there = await stat(at);
    if (there.isFile()) {
      if (!/^[A-Za-z0-9][\w.!+-]*$/.test(path.basename(at)))
        throw new Error('its name has characters that no wheel or sdist has');
      reading.local.set(at, { kind: 'file', digest: await digestFile(at) });
    } else {
      const digest = await digestTree(at);
      if (digest === undefined) throw new Error(`${at} has neither pyproject.toml nor setup.py`);
      reading.local.set(at, { kind: 'project', digest });
    }
  } catch (error) {
    reading.problems.push(describePipLine(line, describeMissing(error, at), `ls -l ${at}`));
  }
  return { ...wanted, requirement: { ...requirement, source: { kind: 'path', path: at } } };
}

/** pip: relative to the file that names it where that is there, else to where pip was started. */
async function readLinks(written: string, here: string, line: SpecLine, reading: Reading): Promise<void> {
  for (const root of [here, reading.root]) {
    const at = path.resolve(root, written);
    const there = await stat(at).catch(() => undefined); // whatever the reason: the line is refused below
    if (!there?.isDirectory()) continue;
    const names: string[] = [];
    for (const file of await listDistributions(at)) names.push(`${path.basename(file)} ${await digestFile(file)}`);
    reading.local.set(at, { kind: 'links', digest: digestText(names.join('\n')) });
    reading.indexes.push({ kind: 'find-links', place: at, line });
    return;
  }
  const at = path.resolve(here, written);
  reading.problems.push(describePipLine(line, `${at} is no directory`, `ls -ld ${at}`));
}

/** What pip can find in a directory of links: files directly in it. A link that leads nowhere is none. */
export async function listDistributions(dir: string): Promise<readonly string[]> {
  const names = (await readdir(dir)).filter((name) =>
    /^[A-Za-z0-9][\w.!+-]*\.(?:whl|zip|tar\.gz|tgz|tar\.bz2)$/.test(name),
  );
  const files: string[] = [];
  for (const name of names.sort()) {
    const file = path.join(dir, name);
    if ((await pathExists(file)) && (await stat(file)).isFile()) files.push(file);
  }
  return files;
}

/** Not part of what a project is: git's own data changes when nothing does, and bytecode is made by whoever imports. */
const isIncidental = (name: string): boolean => /(?:^|\/)(?:\.git|__pycache__)(?:\/|$)/.test(name);

/** The digest of a project's files, or `undefined` where there is no project. */
export async function digestTree(dir: string): Promise<string | undefined> {
  const lines: string[] = [];
  let isProject = false;
  for await (const entry of walkTree(dir)) {
    if (entry.path === 'pyproject.toml' || entry.path === 'setup.py') isProject = true;
    if (entry.kind === 'directory' || isIncidental(entry.path)) continue;
    const file = path.join(dir, entry.path);
    const digest = (await readLinkIfThere(file)) ?? (await digestFile(file));
    lines.push(JSON.stringify([entry.path, (entry.mode & 0o100) !== 0, digest]));
  }
  return isProject ? digestText(lines.join('\n')) : undefined;
}

function describeMissing(error: unknown, file: string): string {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT' || code === 'ENOTDIR') return `there is no ${file}`;
  if (code !== undefined) return `${file} cannot be read (${code})`;
  if (error instanceof Error) return error.message;
  throw error;
}

/**
 * Hex sha256 of all that pip resolves from, besides what the indexes hold. Two sections of one digest install the same, as
 * long as a lock of it is kept.
 */
export function digestPipInputs(section: PipSection, packages: readonly LockedPackage[], platform: string): string {
  const lines = (wanted: readonly WantedRequirement[]): string[] =>
    wanted.map(({ requirement, hashes }) =>
      redactUrls([renderRequirement(requirement, (at) => at), ...hashes].join(' ')),
    );
  return digestText(
    JSON.stringify([
      platform,
      packages.map(({ name, version, build, sha256 }) => [name, version, build, sha256]).toSorted(),
      lines(section.requirements),
      lines(section.constraints),
      section.indexes.map(({ kind, place }) => [kind, redactUrls(place)]),
      section.flags,
      [...section.local].sort(([a], [b]) => (a < b ? -1 : 1)).map(([at, { kind, digest }]) => [at, kind, digest]),
    ]),
  );
}

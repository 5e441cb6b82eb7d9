// Stage: looks at the whole image before it is packed: every program and library finds what it needs, every link and script
// still leads somewhere, and MPI is one. What was lost on the way stops the build; what packages came with is told.
import path from 'node:path';
import type { LibraryPolicy } from '../config/site-config.ts';
import type { ReleaseFacts } from '../release/manifest.ts';
import { ContainerView } from '../site/container-view.ts';
import { readLoaderCache } from '../site/loader-cache.ts';
import { AppError, type Problem } from '../system/app-error.ts';
import { parseElf } from '../system/elf-file.ts';
import type { Report } from '../system/events.ts';
import { EXIT } from '../system/exit-codes.ts';
import { readPieces } from '../system/host-files.ts';
import { auditLibraries, type LibraryAnswer, type LibraryQuestion, type Need } from './audit-libraries.ts';
import { auditMpi } from './audit-mpi.ts';
import { auditScripts, type ScriptAnswer } from './audit-scripts.ts';
import { shorten, type Taker } from './custom-plan.ts';
import { readObjects, type ImageContent } from './image-content.ts';
import { globExpression } from './path-glob.ts';

export interface AuditRequest {
  readonly content: ImageContent;
  /** What the prefix had before anything was taken out, where something was. */
  readonly before?: ImageContent | undefined;
  readonly takers?: ReadonlyMap<string, Taker> | undefined;
  /** The site's installations that stand for packages. */
  readonly replaced: readonly string[];
  readonly prefixInside: string;
  /** What users' containers have of the host. */
  readonly binds: readonly string[];
  readonly policy: LibraryPolicy;
  readonly report: Report;
}

/** What the manifest keeps of it: doctor looks again whether the host still has what was found there. */
export type LibraryFacts = NonNullable<ReleaseFacts['libraries']>;

/** @throws AppError LIBRARY_LOST, LINK_LOST, INTERPRETER_LOST, LIBRARY_MISSING, MPI_DISAGREES ...: all at once */
export function auditImage(request: AuditRequest): LibraryFacts {
  const { content, before, prefixInside, binds, policy, report, replaced } = request;
  const libraries = auditLibraries({
    ...{ content, before, prefixInside, binds, objects: readObjects(content) },
    ...{ cache: readLoaderCache(), readHostElf: readHostElves() },
  });
  const scripts = auditScripts({ content, before, prefixInside, binds });
  const isElsewhere = anySoname(policy.elsewhere);
  const taker = describeTakers(request);
  const linked = new Set(libraries.linked.map(({ link }) => link));
  const missing = libraries.missing.filter(({ soname }) => !isElsewhere(soname));
  // The site's own files have to be whole; packages may come with some that nobody uses.
  const mustHave = (object: string): boolean => policy.strict || (replaced.length > 0 && linked.has(object));
  const disagreements = auditMpi({ ...libraries, missing }, replaced).map(({ object, message }): Problem => ({
    code: 'MPI_DISAGREES',
    message: `${object} ${message}`,
    hint: 'choose an installation of MPI that was built like the packages, or packages for that MPI (e.g. mpi4py with mpi=*=openmpi)',
  }));
  const isMpiStrict = policy.strict || replaced.length > 0;
  const problems = [
    ...describeLost(
      libraries.lost.filter(({ soname }) => !isElsewhere(soname)),
      taker,
    ),
    ...findLostLinks(request, taker),
    ...describeScripts(scripts, taker),
    ...libraries.broken.filter(({ object }) => mustHave(object)).map(({ object, why }) => broken(object, why)),
    ...describeMissing(missing.filter(({ object }) => mustHave(object))),
    ...(isMpiStrict ? disagreements : []),
  ];
  if (problems.length > 0) throw new AppError(EXIT.buildFailed, problems);
  const warn = (text: string): void => {
    report({ type: 'warning', text });
  };
  const foreign = scripts.wrong.map(({ script, interpreter }) => `${script} (#!${interpreter})`);
  if (foreign.length > 0) warn(`scripts whose interpreter is neither in the image nor here: ${shorten(foreign)}`);
  for (const text of tellMissing(missing)) warn(text);
  for (const { object, why } of libraries.broken) warn(`${object} ${why}`);
  for (const { message } of isMpiStrict ? [] : disagreements) warn(message);
  return describeFacts(libraries, missing, scripts);
}

function anySoname(globs: readonly string[]): (soname: string) => boolean {
  const expressions = globs.map(globExpression);
  return (soname) => expressions.some((expression) => expression.test(soname));
}

/** Host files are read once, however many need them. */
function readHostElves(): LibraryQuestion['readHostElf'] {
  const known = new Map<string, ReturnType<LibraryQuestion['readHostElf']>>();
  return (file) => {
    if (!known.has(file)) {
      const elf = readPieces(file, parseElf);
      known.set(file, typeof elf === 'string' ? undefined : elf);
    }
    return known.get(file);
  };
}

/** Who took a file that the prefix had before: of what no rule of ours took, a hook or `drop`. */
function describeTakers({ takers }: AuditRequest): (file: string) => Taker {
  return (file) => takers?.get(file) ?? { rule: 'drop, outside_commands or a hook', at: '' };
}

function describeLost(lost: LibraryAnswer['lost'], taker: (file: string) => Taker): Problem[] {
  const byFile = Map.groupBy(lost, ({ was, soname }) => `${was}\0${soname}`);
  return [...byFile.values()].map((needs) => {
    const [{ was, soname } = { was: '', soname: '' }] = needs;
    const { rule, at } = taker(was);
    const objects = needs.map(({ object }) => object);
    return {
      code: 'LIBRARY_LOST',
      message: `${shorten(objects)} ${objects.length === 1 ? 'needs' : 'need'} ${soname}, which was ${was}: '${rule}' took it, and nothing else has it`,
      at: at === '' ? undefined : at,
      hint: `keep it, remove what needs it, too, or add ${soname} to libraries.elsewhere if other nodes have it`,
    };
  });
}

/** Links that led somewhere before. */
function findLostLinks(
  { content, before, prefixInside, binds }: AuditRequest,
  taker: (file: string) => Taker,
): Problem[] {
  if (!before) return [];
  const now = new ContainerView({ prefixInside, tree: content, binds });
  const then = new ContainerView({ prefixInside, tree: before, binds });
  const problems: Problem[] = [];
  for (const [link, { kind }] of content) {
    const place = path.posix.join(prefixInside, link);
    if (kind !== 'link' || now.locate(place)) continue;
    const was = then.locate(place);
    if (!was) continue;
    const { rule, at } = taker(was.inImage ?? '');
    problems.push({
      code: 'LINK_LOST',
      message: `the link ${link} led to ${was.inImage ?? was.path}: '${rule}' took it`,
      at: at === '' ? undefined : at,
      hint: `keep it, or drop the link, too`,
    });
  }
  return problems;
}

/** What never had an interpreter is told; for commands the gate decides (src/gate/check-scripts.ts), where it can be waived. */
function describeScripts({ wrong }: ScriptAnswer, taker: (file: string) => Taker): Problem[] {
  return wrong
    .filter(({ kind }) => kind === 'lost')
    .map(({ script, interpreter, was }) => {
      const { rule, at } = taker(was ?? '');
      const message = `the script ${script} is for ${interpreter}: '${rule}' took ${was ?? 'that'}`;
      const hint = `keep it, or drop ${script}, too`;
      return { code: 'INTERPRETER_LOST', message, at: at === '' ? undefined : at, hint };
    });
}

const broken = (object: string, why: string): Problem => ({ code: 'LIBRARY_BROKEN', message: `${object} ${why}` });

function describeMissing(missing: readonly Need[]): Problem[] {
  return groupBySoname(missing).map(([soname, objects]) => ({
    code: 'LIBRARY_MISSING',
    message: `${shorten(objects)} ${objects.length === 1 ? 'needs' : 'need'} ${soname}, which is neither in the image nor on this host`,
    hint: `add a package that has it, or add ${soname} to libraries.elsewhere if other nodes have it`,
  }));
}

/** One line for all of them: packages of conda-forge come with plugins for libraries that few people have. */
function tellMissing(missing: readonly Need[]): string[] {
  const groups = groupBySoname(missing).map(([soname, [first = '']]) => `${soname} (${first})`);
  if (groups.length === 0) return [];
  return [`libraries that programs ask for and that are neither in the image nor on this host: ${shorten(groups)}`];
}

function groupBySoname(needs: readonly Need[]): [soname: string, objects: string[]][] {
  return [...Map.groupBy(needs, ({ soname }) => soname)].map(([soname, all]) => [
    soname,
    all.map(({ object }) => object),
  ]);
}

function describeFacts(libraries: LibraryAnswer, missing: readonly Need[], { scripts }: ScriptAnswer): LibraryFacts {
  const system = new Map<string, string>();
  for (const { soname, found } of libraries.found)
    if (found.by === 'system' && found.inImage === undefined && found.elf) system.set(soname, found.elf.kind);
  return {
    objects: libraries.objects,
    scripts,
    missing: groupBySoname(missing).map(([soname, objects]) => ({ soname, neededBy: objects })),
    system: [...system].map(([soname, kind]) => ({ soname, kind })).sort((a, b) => (a.soname < b.soname ? -1 : 1)),
    linked: libraries.linked.map(({ file, elf: { kind, soname, needed } }) => ({
      ...{ file, kind, needed: [...needed] },
      ...(soname === undefined ? {} : { soname }),
    })),
  };
}

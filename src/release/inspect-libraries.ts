// Whether the host still has what the programs of a release found there when it was built: after an upgrade of the system, or
// of an installation that the image has links to. Files are read, nothing is run.
import { ContainerView } from '../site/container-view.ts';
import type { Finding } from '../site/finding.ts';
import { LibrarySearch } from '../site/library-search.ts';
import { readLoaderCache } from '../site/loader-cache.ts';
import { isFortranRuntime, isOfMpi } from '../site/mpi-names.ts';
import { listRunBinds } from '../site/run-binds.ts';
import { parseElf, type ElfFacts } from '../system/elf-file.ts';
import { readPieces } from '../system/host-files.ts';
import type { ReleaseManifest } from './manifest.ts';

type LibraryFacts = NonNullable<ReleaseManifest['libraries']>;

/** @param binds host directories that the containers of users have, whatever the release */
export function inspectLibraries(
  {
    fullName,
    environment,
    libraries,
    replaced = [],
  }: Pick<ReleaseManifest, 'fullName' | 'environment' | 'libraries' | 'replaced'>,
  condaPrefix: string,
  binds: readonly string[],
): Finding[] {
  // An early condense looked at nothing.
  if (!libraries) return [];
  const installations = replaced.map(({ by }) => by);
  const view = new ContainerView({
    prefixInside: condaPrefix,
    tree: new Map(),
    binds: listRunBinds(binds, installations),
  });
  const again = `condense install --rebuild ${environment}`;
  const gone = [
    ...findGoneSystem(view, libraries),
    ...libraries.linked.filter(({ file }) => view.locate(file)?.kind !== 'file').map(({ file }) => file),
  ];
  const findings: Finding[] = gone.map((what) => ({
    ...{ name: `${fullName}: ${what}`, status: 'failure', code: 'LIBRARY_GONE' },
    found: 'programs of the image need it, and this machine does not have it any more',
    fix: `install it on every node, or build anew what needs it: ${again}`,
  }));
  for (const was of libraries.linked) {
    const located = view.locate(was.file);
    if (located?.kind !== 'file') continue; // said above
    const is = readElf(located.path);
    for (const { found, isFatal } of compareObject(was, is))
      findings.push({
        ...{ name: `${fullName}: ${was.file}`, status: isFatal ? 'failure' : 'warning', code: 'LIBRARY_CHANGED' },
        found,
        fix: `put back what was there, or build against what is there now: ${again}`,
      });
  }
  return findings;
}

function readElf(file: string | undefined): ElfFacts | undefined {
  const elf = file === undefined ? undefined : readPieces(file, parseElf);
  return typeof elf === 'string' ? undefined : elf;
}

function findGoneSystem(view: ContainerView, { system }: LibraryFacts): string[] {
  const search = new LibrarySearch(view, readLoaderCache(), ({ path }) => readElf(path), []);
  return system
    .filter(({ soname, kind }) => {
      const asker = { path: '/', elf: { kind, needed: [soname], rpath: [], runpath: [] } };
      return search.find(asker, soname) === undefined;
    })
    .map(({ soname }) => soname);
}

/** What is not as it was, and whether programs of the image cannot run with it. */
function compareObject(
  was: LibraryFacts['linked'][number],
  is: ElfFacts | undefined,
): { found: string; isFatal: boolean }[] {
  if (!is) return [{ found: 'is no program or library that can be read', isFatal: true }];
  const changes: { found: string; isFatal: boolean }[] = [];
  if (was.kind !== is.kind) changes.push({ found: `was ${was.kind} and is ${is.kind}`, isFatal: true });
  if (was.soname !== is.soname)
    changes.push({
      found: `called itself ${was.soname ?? 'nothing'} and is ${is.soname ?? 'nothing'} now`,
      isFatal: true,
    });
  const lost = was.needed.filter((name) => !is.needed.includes(name));
  const come = is.needed.filter((name) => !was.needed.includes(name));
  if (lost.length === 0 && come.length === 0) return changes;
  // The programs of the image were checked against just those.
  const isFatal = [...lost, ...come].some((name) => isOfMpi(name) || isFortranRuntime(name));
  const parts = [
    ...(lost.length > 0 ? [`no longer needs ${lost.join(', ')}`] : []),
    ...(come.length > 0 ? [`now needs ${come.join(', ')}`] : []),
  ];
  return [...changes, { found: parts.join(' and '), isFatal }];
}

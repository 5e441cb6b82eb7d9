// From verified package archives to the content of a prefix without a tree on disk: for images whose environment nothing
// has to run in first. What the entries say is what installArchives would make, path by path.
import { hash } from 'node:crypto';
import path from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { EXIT } from '../system/exit-codes.ts';
import { makeDir } from '../system/files.ts';
import { SpoolWriter } from '../system/spool-writer.ts';
import { describeFullDisk } from '../system/system-error.ts';
import { compareTarPaths, type Content, type TarEntry } from '../system/tar-stream.ts';
import type { InstalledPrefix, InstallRequest } from './installer.ts';
import { throwIfInterrupted } from './link.ts';
import type { LinkItem, LinkPlan } from './link-plan.ts';
import { reportPrefix, listPostLink, unpackAndPlan, type PlannedPrefix } from './plan-prefix.ts';
import { renderRecords } from './prefix-records.ts';
import { countBytes, listReplaced, readNewBytes, unpackedMember } from './unpacked-files.ts';

export type SpoolRequest = Pick<
  InstallRequest,
  'lock' | 'requestedSpecs' | 'pinnedSpecs' | 'prefixInside' | 'report' | 'signal'
>;

export interface SpooledPrefix extends InstalledPrefix {
  /** All that is in the prefix, in the order of `compareTarPaths`. */
  readonly entries: readonly TarEntry[];
}

/**
 * @param archives verified archives, by sha256
 * @param scratch a directory for the bytes, which the caller removes when it has read the entries
 * @returns or, in words, what asks for a tree on disk
 */
export async function spoolArchives(
  request: SpoolRequest,
  archives: ReadonlyMap<string, string>,
  scratch: string,
): Promise<SpooledPrefix | string> {
  try {
    await makeDir(scratch);
    return await spool(request, archives, scratch);
  } catch (error) {
    throw describeFullDisk(error, EXIT.buildFailed);
  }
}

async function spool(
  request: SpoolRequest,
  archives: ReadonlyMap<string, string>,
  scratch: string,
): Promise<SpooledPrefix | string> {
  const planned = await unpackAndPlan(request, archives, scratch, true);
  const { plan, packages } = planned;
  const why = describeNeedOfTree(planned);
  if (why !== undefined) return why;
  const rewritten = new Map(listReplaced(plan.items));
  const contents = await readContents(request, plan, path.join(scratch, 'rewritten'), rewritten);
  const records = renderRecords({ ...request, planned, rewritten, bytecode: new Map() });
  const notes = reportPrefix(planned, request.report);
  for (const text of notes) request.report({ type: 'note', text });
  return {
    packages: packages.length,
    files: plan.items.length,
    bytes: countBytes(plan.items),
    notes,
    entries: planEntries(planned, contents, records),
  };
}

/** Scripts run in the prefix; where there is Python, bytecode is to be compiled by it. */
function describeNeedOfTree(planned: PlannedPrefix): string | undefined {
  const [script] = listPostLink(planned);
  if (script) return `${script.locked.name} has a post-link script`;
  for (const { path: at, owner } of planned.plan.items) {
    if (/^bin\/python[\d.]*$/.test(at)) return `${owner.locked.name} has ${at}`;
  }
  return undefined;
}

/** Where the bytes of each file are. What is still without the prefix gets it here, into one more spool. */
async function readContents(
  { prefixInside, signal }: SpoolRequest,
  plan: LinkPlan,
  spool: string,
  rewritten: Map<string, string>,
): Promise<Map<LinkItem, Content>> {
  const contents = new Map<LinkItem, Content>();
  const writer = new SpoolWriter(spool);
  try {
    for (const item of plan.items) {
      const data = await readNewBytes(item, prefixInside);
      if (data) {
        writer.file(item.path, data);
        rewritten.set(item.path, hash('sha256', data, 'hex'));
        // Signals are only seen between turns of the event loop.
        await setImmediate();
        throwIfInterrupted(signal);
      }
      const { owner, source } = item;
      if (source.kind === 'link') continue;
      const span = data
        ? writer.spans.get(item.path)
        : owner.spans?.get(source.kind === 'file' ? source.entry.path : '');
      if (!span) throw new Error(`${item.path} was not unpacked`);
      contents.set(item, { spool: data ? spool : owner.place, ...span });
    }
    return contents;
  } finally {
    writer.close();
  }
}

function planEntries(
  { plan, epochSeconds }: PlannedPrefix,
  contents: ReadonlyMap<LinkItem, Content>,
  records: ReadonlyMap<string, string>,
): TarEntry[] {
  const entries: TarEntry[] = [...records].map(([name, text]) => ({
    ...{ kind: 'file', path: `conda-meta/${name}`, mode: 0o644, mtimeSeconds: epochSeconds },
    content: { data: Buffer.from(text) },
  }));
  const items = [...plan.items].sort((a, b) => compareTarPaths(a.path, b.path));
  /** Members have as many names as their archive gives them, as long as their bytes are the archive's. */
  const firstNames = new Map<unknown, string>();
  for (const item of items) entries.push(planEntry(item, contents.get(item), firstNames));
  const directories = new Set<string>(['', '.']);
  const add = (dir: string): void => {
    if (directories.has(dir)) return;
    directories.add(dir);
    add(path.posix.dirname(dir));
  };
  for (const dir of plan.directories) add(dir);
  for (const { path: at } of entries) add(path.posix.dirname(at));
  for (const dir of directories)
    if (dir !== '' && dir !== '.') entries.push({ kind: 'directory', path: dir, mode: 0o755, mtimeSeconds: 0 });
  return entries.sort((a, b) => compareTarPaths(a.path, b.path));
}

function planEntry(item: LinkItem, content: Content | undefined, firstNames: Map<unknown, string>): TarEntry {
  const { path: at, source, mtimeSeconds } = item;
  if (source.kind === 'link') return { kind: 'link', path: at, target: source.target, mtimeSeconds: 0 };
  if (!content) throw new Error(`${at} has no content`);
  const member = 'spool' in content && content.spool === item.owner.place ? unpackedMember(item) : undefined;
  const first = firstNames.get(member);
  if (member && first !== undefined) return { kind: 'hardlink', path: at, target: first };
  if (member) firstNames.set(member, at);
  return { kind: 'file', path: at, mode: source.mode, mtimeSeconds, content };
}

// Copies what a pip section names on this machine to where pip can see it, and where building it changes nothing of the original.
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { chmod, copyNewFile, makeDir, readLinkIfThere, symlink, walkTree } from '../system/files.ts';
import { listDistributions, type LocalSource, type PipSection } from './pip-section.ts';
import type { PipScratch } from './run-pip.ts';

/** @returns where the container has each path */
export async function copyLocalSources(section: PipSection, scratch: PipScratch): Promise<(path: string) => string> {
  const places = new Map<string, string>();
  for (const [index, [from, source]] of [...section.local].entries()) {
    const relative = `local/${index}/${localName(from, source)}`;
    const to = path.join(scratch.onDisk, relative);
    await makeDir(path.dirname(to));
    if (source.kind === 'file') await copyNewFile(from, to);
    else if (source.kind === 'project') await copyProject(from, to);
    else await copyLinks(from, to);
    places.set(from, `${scratch.inside}/${relative}`);
    scratch.names.set(`${scratch.inside}/${relative}`, from);
  }
  return (at) => places.get(at) ?? at;
}

/** What pip calls a local source, as the URL that it has on this machine. */
export function originalUrl(url: string, names: ReadonlyMap<string, string>): string {
  const inside = decodeURIComponent(URL.parse(url)?.pathname ?? '');
  for (const [place, here] of names) {
    if (inside === place || inside.startsWith(`${place}/`))
      return pathToFileURL(here + inside.slice(place.length)).href;
  }
  return url;
}

/** A project's directory has the same name everywhere: some build tools write it down. */
const localName = (from: string, { kind }: LocalSource): string => (kind === 'file' ? path.basename(from) : kind);

export async function copyProject(from: string, to: string): Promise<void> {
  await makeDir(to);
  for await (const entry of walkTree(from)) {
    const target = path.join(to, entry.path);
    if (entry.kind === 'directory') await makeDir(target);
    else if (entry.kind === 'link') await symlink((await readLinkIfThere(path.join(from, entry.path))) ?? '', target);
    else await copyNewFile(path.join(from, entry.path), target, (entry.mode & 0o100) !== 0 ? 0o755 : 0o644);
  }
  await chmod(to, 0o755);
}

async function copyLinks(from: string, to: string): Promise<void> {
  await makeDir(to);
  for (const file of await listDistributions(from)) await copyNewFile(file, path.join(to, path.basename(file)));
}

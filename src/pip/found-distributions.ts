// What pip had put into a prefix that somebody else made: as lines of a pip section, and which files are its own.
import path from 'node:path';
import { z } from 'zod';
import { readRegularText, walkTree } from '../system/files.ts';
import { parseRecord } from './dist-info.ts';

export interface FoundDistributions {
  /** `name==1.0`, or `name @ git+https://...@<commit>`, sorted. */
  readonly lines: readonly string[];
  /** Relative to the prefix. */
  readonly files: ReadonlySet<string>;
  /** Those that cannot be had again, with the reason. */
  readonly lost: readonly string[];
}

/** PEP 610. */
const DirectUrl = z.object({
  url: z.string(),
  vcs_info: z.object({ vcs: z.string(), commit_id: z.string() }).optional(),
  archive_info: z.object({}).optional(),
});

/** @param owned paths of conda packages, whose distributions are none of pip's */
export async function findDistributions(
  prefix: string,
  owned: ReadonlyMap<string, unknown>,
): Promise<FoundDistributions> {
  const lines: string[] = [];
  const lost: string[] = [];
  const files = new Set<string>();
  for await (const entry of walkTree(prefix)) {
    const [, sitePackages] = /^(lib\/python[\d.]+\/site-packages)\/[^/]+\.dist-info\/METADATA$/.exec(entry.path) ?? [];
    if (sitePackages === undefined || entry.kind !== 'file' || owned.has(entry.path)) continue;
    const dir = path.posix.dirname(entry.path);
    const read = async (name: string): Promise<string> => (await readRegularText(path.join(prefix, dir, name))) ?? '';
    const metadata = await read('METADATA');
    const name = /^Name: *([A-Za-z0-9][\w.-]*)\s*$/im.exec(metadata)?.[1];
    const version = /^Version: *([\w.+!-]+)\s*$/im.exec(metadata)?.[1];
    if (name === undefined || version === undefined) {
      lost.push(`${dir} (its METADATA has no name or version that one can be)`);
      continue;
    }
    const paths = parseRecord(await read('RECORD'), sitePackages);
    for (const file of typeof paths === 'string' ? [] : paths) files.add(file);
    const line = describeLine(name, version, await read('direct_url.json'));
    if (line === undefined) lost.push(`${name} ${version} (from a directory of the machine that it was installed on)`);
    else lines.push(line);
  }
  return { lines: lines.sort(), files, lost: lost.sort() };
}

/** A line that names just this, whatever the files say: they are somebody else's text. */
function describeLine(name: string, version: string, directUrl: string): string | undefined {
  if (directUrl === '') return `${name}==${version}`;
  const { data } = DirectUrl.safeParse(parseJson(directUrl));
  if (!data || !/^https?:\/\/[^\s#]+$/.test(data.url)) return undefined;
  if (!data.vcs_info) return data.archive_info ? `${name} @ ${data.url}` : undefined;
  const { vcs, commit_id: commit } = data.vcs_info;
  return vcs === 'git' && /^[0-9a-f]{40,64}$/.test(commit) ? `${name} @ git+${data.url}@${commit}` : undefined;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // which says nothing of where it came from
  }
}

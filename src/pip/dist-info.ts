// What is in a distribution's .dist-info directory: RECORD (PEP 376, PEP 627) and direct_url.json (PEP 610). Pure.
import path from 'node:path';
import type { LockedDistribution } from '../conda/lock.ts';
import { digestText } from '../system/files.ts';

/** No package of conda owns them, so what is there says nothing of whether a wheel may: conda-meta, and our own marker. */
const RESERVED = /^(?:conda-meta|\.condense[^/]*)(?:\/|$)/;

/** @returns the paths, relative to the prefix; or what is wrong with one */
export function parseRecord(text: string, sitePackages: string): readonly string[] | string {
  const files: string[] = [];
  for (const line of text.split(/\r?\n/)) {
    if (line === '') continue;
    // CSV: a name with commas or quotation marks is in quotes.
    const [, quoted, plain] = /^(?:"((?:[^"]|"")*)"|([^,]*)),/.exec(line) ?? [];
    const written = quoted?.replaceAll('""', '"') ?? plain;
    if (written === undefined) return `has a RECORD with the line ${JSON.stringify(line)}`;
    const file = path.posix.normalize(path.posix.join(sitePackages, written));
    if (path.posix.isAbsolute(written) || file.startsWith('..'))
      return `puts ${JSON.stringify(written)} outside the environment`;
    if (RESERVED.test(file)) return `puts ${JSON.stringify(written)} where conda and the launcher keep their own`;
    files.push(file);
  }
  return files;
}

/** As PEP 376 has it: sha256 in base64 without padding, and the size. */
export function renderRecordLine(name: string, text: string): string {
  const digest = Buffer.from(digestText(text), 'hex').toString('base64url');
  return `${name},sha256=${digest},${Buffer.byteLength(text)}`;
}

/** The text of direct_url.json, where there is one: what came from a path of the building machine has none. */
export function planDirectUrl(distribution: LockedDistribution): string | undefined {
  const { kind, url, sha256, commit, subdirectory, direct } = distribution;
  if (!direct || !/^https?:/.test(url)) return undefined;
  const more = subdirectory === undefined ? {} : { subdirectory };
  return JSON.stringify(
    kind === 'git'
      ? { url, vcs_info: { vcs: 'git', commit_id: commit }, ...more }
      : { url, archive_info: { hash: `sha256=${sha256 ?? ''}`, hashes: { sha256 } }, ...more },
  );
}

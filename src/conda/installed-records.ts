// The records of the packages in a staged prefix: which files are whose, who depends on whom (CEP 32).
import path from 'node:path';
import { z } from 'zod';
import { lutimes, readdir, readText, removeTree, stat, writeNewFile } from '../system/files.ts';
import { dropFromRecord } from './conda-meta.ts';
import { parseDependencyName } from './match-spec.ts';

export interface InstalledRecord {
  readonly name: string;
  readonly version: string;
  /** Names of the packages that it depends on. */
  readonly depends: readonly string[];
  /** Relative to the prefix, as its installer wrote them. */
  readonly files: readonly string[];
}

const written = z.object({
  name: z.string(),
  version: z.string(),
  depends: z.array(z.string()).default([]),
  files: z.array(z.string()).default([]),
});

export async function readInstalledRecords(prefixOnDisk: string): Promise<InstalledRecord[]> {
  const records = await Promise.all(
    (await listRecords(prefixOnDisk)).map(async (file) => written.parse(JSON.parse(await readText(file)))),
  );
  return records.map((record) => ({
    ...record,
    depends: record.depends.flatMap((text) => parseDependencyName(text) ?? []),
  }));
}

async function listRecords(prefixOnDisk: string): Promise<string[]> {
  const dir = path.join(prefixOnDisk, 'conda-meta');
  const names = (await readdir(dir)).filter((name) => name.endsWith('.json')).sort();
  return names.map((name) => path.join(dir, name));
}

/** conda-meta lists what is there: conda-pack and `conda doctor` look for every file that a record has. */
export async function writeRecordsWithout(prefixOnDisk: string, gone: ReadonlySet<string>): Promise<void> {
  for (const file of await listRecords(prefixOnDisk)) {
    const text = dropFromRecord(await readText(file), gone);
    if (text === undefined) continue;
    const { atimeMs, mtimeMs } = await stat(file);
    await removeTree(file);
    await writeNewFile(file, text);
    await lutimes(file, atimeMs / 1000, mtimeMs / 1000);
  }
}

// What the channels themselves say of the packages of a mirror: maintainers correct dependencies there, not in the archives.
import { promisify } from 'node:util';
import { zstdDecompress } from 'node:zlib';
import type { Channel } from '../conda/channel.ts';
import type { ChannelAccess } from '../conda/channel-access.ts';
import { indexRepodata, readRecords } from '../conda/repodata-index.ts';
import { fetchRepodata, type SubdirRepodata } from '../conda/repodata.ts';
import { AppError } from '../system/app-error.ts';
import type { Report } from '../system/events.ts';
import { EXIT } from '../system/exit-codes.ts';
import { readBytes } from '../system/files.ts';
import type { MirroredChannel, MirroredPackage } from './mirror-plan.ts';
import type { PackageRecord } from './mirror-records.ts';

export interface ChannelRecordsRequest {
  readonly access: ChannelAccess;
  readonly repodataCacheDir: string;
  readonly report: Report;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The record of each package that the channel still has, the very same file; by its path in the mirror. A channel that
 * does not answer, or is broken, is told of: its packages then speak for themselves.
 */
export async function readChannelRecords(
  mirrored: MirroredChannel,
  wanted: readonly MirroredPackage[],
  request: ChannelRecordsRequest,
): Promise<ReadonlyMap<string, PackageRecord>> {
  const records = new Map<string, PackageRecord>();
  const platforms = new Set(wanted.map(({ locked }) => locked.subdir).filter((subdir) => subdir !== 'noarch'));
  if (platforms.size === 0 && wanted.length > 0) platforms.add('noarch');
  const channel: Channel = { url: mirrored.url, publicUrl: mirrored.url };
  try {
    for (const platform of platforms) {
      const { access, report, signal, repodataCacheDir: cacheDir } = request;
      for (const subdir of await fetchRepodata({ channels: [channel], access, platform, cacheDir, report, signal }))
        await takeRecords(subdir, wanted, records);
    }
  } catch (error) {
    const isUnreachable = error instanceof AppError && error.exit === EXIT.buildFailed;
    if (!isUnreachable && !(error instanceof SyntaxError)) throw error;
    request.report({
      type: 'warning',
      text: `${error.message}; what its packages say of themselves is taken, without the channel's corrections`,
    });
  }
  return records;
}

async function takeRecords(
  { subdir, file }: SubdirRepodata,
  wanted: readonly MirroredPackage[],
  records: Map<string, PackageRecord>,
): Promise<void> {
  const ours = wanted.filter(({ locked }) => locked.subdir === subdir);
  if (ours.length === 0) return;
  const bytes = await readBytes(file);
  const index = indexRepodata(file.endsWith('.zst') ? await promisify(zstdDecompress)(bytes) : bytes);
  for (const one of ours) {
    for (const { file: name, value } of readRecords(index, one.locked.name.toLowerCase())) {
      const record = value as PackageRecord | null;
      if (name === one.file && typeof record === 'object' && record?.['sha256'] === one.locked.sha256)
        records.set(one.path, record);
    }
  }
}

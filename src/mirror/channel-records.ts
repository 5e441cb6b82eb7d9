// What the channels themselves say of the packages of a mirror: maintainers correct dependencies there, not in the archives.
import type { Channel } from '../conda/channel.ts';
import type { ChannelAccess } from '../conda/channel-access.ts';
import { fetchShards, ShardsMissing } from '../conda/fetch-shards.ts';
import { BadRepodata, openRecordSource } from '../conda/record-source.ts';
import { fetchRepodata, type SubdirRepodata } from '../conda/repodata.ts';
import { AppError } from '../system/app-error.ts';
import type { Report } from '../system/events.ts';
import { EXIT } from '../system/exit-codes.ts';
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
        await takeRecords(subdir, wanted, records, request);
    }
  } catch (error) {
    const isUnreachable = error instanceof AppError && error.exit === EXIT.buildFailed;
    if (!isUnreachable && !(error instanceof BadRepodata) && !(error instanceof ShardsMissing)) throw error;
    request.report({
      type: 'warning',
      text: `${error.message}; what its packages say of themselves is taken, without the channel's corrections`,
    });
  }
  return records;
}

async function takeRecords(
  of: SubdirRepodata,
  wanted: readonly MirroredPackage[],
  records: Map<string, PackageRecord>,
  { access, repodataCacheDir: cacheDir, signal }: ChannelRecordsRequest,
): Promise<void> {
  const ours = wanted.filter(({ locked }) => locked.subdir === of.subdir);
  if (ours.length === 0) return;
  const source = await openRecordSource(
    0,
    of,
    async ({ shardsBaseUrl, digests }) => await fetchShards({ of, shardsBaseUrl, digests, access, cacheDir, signal }),
  );
  const nameOf = ({ locked }: MirroredPackage): string => locked.name.toLowerCase();
  await source.load([...new Set(ours.map(nameOf))]);
  for (const one of ours) {
    for (const { file, value } of source.read(nameOf(one))) {
      const record = value as PackageRecord | null;
      if (file === one.file && typeof record === 'object' && record?.['sha256'] === one.locked.sha256)
        records.set(one.path, record);
    }
  }
}

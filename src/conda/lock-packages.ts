// What the solver chose as a lock has it: where each package is, and how it is verified.
import { AppError, type Problem } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import { redactUrls } from '../system/redact-urls.ts';
import { isPath, type Channel } from './channel.ts';
import type { LockedPackage } from './lock.ts';
import type { SolvedFile } from './solve-task.ts';

/** Sorted by name, in code units. @throws AppError PACKAGE_UNVERIFIABLE for those without a sha256, all at once */
export function lockPackages(files: readonly SolvedFile[], channels: readonly Channel[]): readonly LockedPackage[] {
  const problems: Problem[] = [];
  const packages = files.map((file): LockedPackage => {
    const channel = channels[file.channel]?.publicUrl ?? '';
    if (file.sha256 === undefined) {
      problems.push({
        code: 'PACKAGE_UNVERIFIABLE',
        message: `${file.subdir}/${file.file} of channel ${channel} has no sha256 in the repodata, so its download cannot be verified`,
        hint: `ask the channel's owner to index it anew (conda index writes sha256), or choose another build of ${file.name}`,
      });
    }
    return {
      name: file.name,
      version: file.version,
      build: file.build,
      buildNumber: file.buildNumber,
      channel,
      subdir: file.subdir,
      url: packageUrl(file, channel),
      sha256: file.sha256 ?? '',
      ...(file.md5 === undefined ? {} : { md5: file.md5 }),
      ...(file.sizeBytes === undefined ? {} : { sizeBytes: file.sizeBytes }),
      depends: file.depends,
    };
  });
  if (problems.length > 0) throw new AppError(EXIT.buildFailed, problems);
  return packages.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** CEP 15: `base_url`, absolute or relative to the subdir, with or without a slash at the end. */
function packageUrl(file: SolvedFile, channel: string): string {
  const subdirUrl = `${channel}/${file.subdir}/`;
  const base = URL.parse(`${(file.baseUrl ?? '').replace(/\/*$/, '')}/`.replace(/^\/$/, ''), subdirUrl);
  const isAllowed =
    base &&
    (/^https?:$/.test(base.protocol) || (base.protocol === 'file:' && isPath(base) && subdirUrl.startsWith('file:')));
  if (!isAllowed || base.search !== '' || base.hash !== '') {
    throw new AppError(EXIT.buildFailed, {
      code: 'CHANNEL_CORRUPT',
      message: `channel ${channel} sends downloads for ${file.subdir} to ${JSON.stringify(redactUrls(file.baseUrl ?? ''))}`,
      hint: 'tell the owner of the channel: base_url in its repodata.json must be an http(s) URL (CEP 15)',
    });
  }
  return redactUrls(new URL(file.file, base).href);
}

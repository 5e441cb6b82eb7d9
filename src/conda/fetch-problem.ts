// What is wrong with a download, for people: the package, the source, or our own disk.
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { errorMessage, type Problem } from '../system/app-error.ts';
import { describeSystemError } from '../system/system-error.ts';
import { WrongContent, type WantedPackage } from './download-package.ts';
import { RequestRefused } from './http-refusal.ts';

/** Whether it is our cache that fails: then no other source would do better. */
export function isOurDisk(error: unknown, url: string): boolean {
  const { code, path: at } = error as NodeJS.ErrnoException;
  const isSource = url.startsWith('file:') && at === fileURLToPath(url);
  if (code === undefined || isSource) return false;
  return describeSystemError(error) !== undefined || code === 'EEXIST' || code === 'ENOTDIR';
}

/** @param locked the URL of the lock, where another was asked in its place */
export function describeFetchFailure(
  wanted: WantedPackage,
  file: string,
  error: unknown,
  locked = wanted.url,
): Problem {
  const what = wanted.url === locked ? wanted.url : `${wanted.url} (mirror of ${locked})`;
  if (error instanceof WrongContent) {
    return {
      code: 'PACKAGE_HASH_MISMATCH',
      message: `${what} is not the package that was locked: ${error.message}`,
      hint: 'the file and the index of the channel disagree: run the command again when the channel is whole, or tell its maintainers',
    };
  }
  if (isOurDisk(error, wanted.url)) {
    const known = describeSystemError(error)?.problems[0];
    return {
      code: 'CACHE_NOT_WRITABLE',
      message: `${what} cannot be stored: ${known?.message ?? errorMessage(error)}`,
      at: file,
      hint: known?.hint ?? `ls -ld ${path.dirname(file)}`,
    };
  }
  return {
    code: 'PACKAGE_UNREACHABLE',
    message: `${what} cannot be downloaded: ${errorMessage(error)}`,
    hint:
      error instanceof RequestRefused
        ? error.hint
        : wanted.url.startsWith('file:')
          ? `ls -l ${fileURLToPath(wanted.url)}`
          : `curl -fsSIL ${wanted.url}`,
  };
}

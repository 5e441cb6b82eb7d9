// Puts the prefix into one file of a package, and says of which package it is that it does not fit.
import type { ManifestEntry } from './package-metadata.ts';
import { packageInvalid } from './package-problem.ts';
import { PrefixTooLongError, replacePrefix } from './prefix-replacement.ts';

/**
 * @returns the new bytes, or `data` itself where nothing had to change
 * @throws AppError PACKAGE_INVALID where the placeholder is too short
 */
export function putPrefix(request: {
  readonly url: string;
  readonly path: string;
  readonly data: Buffer;
  readonly placeholder: NonNullable<ManifestEntry['placeholder']>;
  readonly prefixInside: string;
}): Buffer {
  const { url, path, data, placeholder, prefixInside } = request;
  try {
    return replacePrefix(data, placeholder.mode, placeholder.text, prefixInside);
  } catch (error) {
    if (!(error instanceof PrefixTooLongError)) throw error;
    throw packageInvalid(url, `${path} cannot be installed at ${prefixInside}: ${error.message}`);
  }
}

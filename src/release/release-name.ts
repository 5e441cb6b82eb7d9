// The name of a release as people type it: `<full name>/<release id>`.
import { AppError, type Problem } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';

export interface ReleaseName {
  readonly fullName: string;
  readonly id: string;
}

/** `analysis3` of `analysis3-26.11`: what a person types, where no manifest tells. Versions have no hyphen. */
export const environmentOf = (fullName: string): string => fullName.replace(/-[^-]*$/, '');

/** Both become names of directories: neither can lead elsewhere. */
const RELEASE = /^([A-Za-z0-9][\w.-]*)\/(\d{8}T\d{6}Z-[0-9a-f]{8})$/;

/** @returns undefined where the text is no such name */
export function parseIfReleaseName(text: string): ReleaseName | undefined {
  const [, fullName, id] = RELEASE.exec(text) ?? [];
  return fullName === undefined || id === undefined ? undefined : { fullName, id };
}

/** @throws AppError RELEASE_NAME_INVALID, exit 2: what is none never becomes a path */
export function parseReleaseName(text: string): ReleaseName {
  const name = parseIfReleaseName(text);
  if (name) return name;
  throw new AppError(EXIT.usage, describeInvalid(text));
}

/** @throws AppError RELEASE_NAME_INVALID (exit 2) with every one that is none */
export function parseReleaseNames(texts: readonly string[]): ReleaseName[] {
  const wrong = texts.filter((text) => !parseIfReleaseName(text));
  if (wrong.length > 0) throw new AppError(EXIT.usage, wrong.map(describeInvalid));
  return texts.map(parseReleaseName);
}

const describeInvalid = (text: string): Problem => ({
  code: 'RELEASE_NAME_INVALID',
  message: `${JSON.stringify(text)} is not <full name>/<release id>`,
  hint: 'condense list --releases',
});

// The name of a release as people type it: `<full name>/<release id>`.
import { AppError } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';

/** @throws AppError RELEASE_NAME_INVALID, exit 2: what is none never becomes a path */
export function parseReleaseName(release: string): { readonly fullName: string; readonly id: string } {
  const [fullName = '', id = '', ...rest] = release.split('/');
  if (/^[A-Za-z0-9][\w.-]*$/.test(fullName) && /^\d{8}T\d{6}Z-[0-9a-f]{8}$/.test(id) && rest.length === 0)
    return { fullName, id };
  throw new AppError(EXIT.usage, {
    code: 'RELEASE_NAME_INVALID',
    message: `${JSON.stringify(release)} is not <full name>/<release id>`,
    hint: 'condense list --releases',
  });
}

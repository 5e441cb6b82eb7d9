// `condense sign`: signs the manifest of a release that is there, with the key of the configuration.
import { readManifest } from '../release/find-release.ts';
import { parseReleaseName } from '../release/release-name.ts';
import { writeSignature } from '../release/signature.ts';
import { checkRelease } from '../release/verify-release.ts';
import { checkOwner } from '../site/permissions.ts';
import { AppError } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import type { Session } from './session.ts';

/** @throws AppError SIGNING_KEY_MISSING (3); RELEASE_MISSING and all that verify finds (7): what is damaged is not signed */
export async function runSign(session: Session, name: string): Promise<void> {
  const { config, layout, output, signal } = session;
  const { fullName, id } = parseReleaseName(name);
  const { key } = config.signing;
  if (key === undefined) {
    throw new AppError(EXIT.configuration, {
      code: 'SIGNING_KEY_MISSING',
      message: 'names no key to sign with',
      at: config.file,
      hint: 'signing: { key: /etc/condense/signing_key.pub, allowed_signers: allowed_signers }',
    });
  }
  await checkOwner(config, layout);
  await readManifest(layout, fullName, id);
  await checkRelease(layout, fullName, id, { report: output.report, signal });
  await writeSignature(layout.release(fullName, id), key);
  output.result({ environment: fullName, release: id, signed: true }, [`${name} is signed with ${key}`]);
}

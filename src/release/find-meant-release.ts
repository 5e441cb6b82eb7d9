// The release that a word of the command line means: one by its name, or what is live under a version, an alias or an environment.
import type { Layout } from '../site/layout.ts';
import { AppError } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import { environmentOf, parseIfReleaseName, type ReleaseName } from './release-name.ts';
import { readCurrentGeneration } from './site-state.ts';

/**
 * @param text `<full name>/<release id>`, which need not be there; a live version or alias; an environment with one live version
 * @throws AppError SUBJECT_UNKNOWN (exit 2): also where an environment has several live versions and no alias of its name
 */
export async function findMeantRelease(layout: Layout, text: string): Promise<ReleaseName> {
  const release = parseIfReleaseName(text);
  if (release) return release;
  const current = await readCurrentGeneration(layout);
  const live = [...(current?.versions ?? [])].map(([fullName, id]) => ({ fullName, id }));
  const meant = current?.aliases.get(text) ?? text;
  const exact = live.filter(({ fullName }) => fullName === meant);
  const found = exact.length > 0 ? exact : live.filter(({ fullName }) => environmentOf(fullName) === text);
  if (found.length === 1 && found[0]) return found[0];
  const names = (found.length > 0 ? found : live).map(({ fullName }) => fullName).join(', ') || 'nothing';
  throw new AppError(EXIT.usage, {
    code: 'SUBJECT_UNKNOWN',
    message:
      found.length > 0
        ? `${JSON.stringify(text)} has several live versions: ${names}`
        : `${JSON.stringify(text)} is no release (<full name>/<release id>) and nothing that is live; live: ${names}`,
    hint: 'condense list --releases',
  });
}

// The requirements file that pip is given: written anew from what was read, so that nothing else can be in it. Pure.
import { withoutUserInfo } from './pip-access.ts';
import type { PipSection, WantedRequirement } from './pip-section.ts';
import { renderRequirement } from './requirement.ts';

/** @param located where the container has a path of this machine */
export function renderIndexOptions(section: PipSection, located: (path: string) => string): string {
  const options = section.indexes.map(({ kind, place }) => {
    const shown = /^https?:/i.test(place) ? withoutUserInfo(place) : located(place);
    return `${kind === 'index' ? '--index-url' : kind === 'extra-index' ? '--extra-index-url' : '--find-links'} ${shown}\n`;
  });
  return [...options, ...section.flags.filter((flag) => flag !== '--require-hashes').map((flag) => `${flag}\n`)].join(
    '',
  );
}

export function renderRequirements(wanted: readonly WantedRequirement[], located: (path: string) => string): string {
  return wanted
    .map(({ requirement, hashes }) => {
      const { source } = requirement;
      const shown =
        source.kind === 'url'
          ? { ...requirement, source: { ...source, url: withoutUserInfo(source.url) } }
          : requirement;
      return [renderRequirement(shown, located), ...hashes.map((hash) => `--hash=${hash}`)].join(' ') + '\n';
    })
    .join('');
}

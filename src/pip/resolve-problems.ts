// What speaks against a resolution: it would harm conda's packages, or cannot be locked. Pure.
import { describeUnlockable, type LockedDistribution } from '../conda/lock.ts';
import { normalizeDistributionName } from '../conda/wheel-file.ts';
import type { Problem } from '../system/app-error.ts';
import { redactUrls } from '../system/redact-urls.ts';
import type { CondaPrefix } from './conda-prefix.ts';
import type { ReportedDistribution } from './installation-report.ts';
import type { PipSection } from './pip-section.ts';

/** Where the section names a distribution; else its first line. */
function placeOf(name: string, section: PipSection, specFile: string): string {
  const line = section.requirements.find(({ requirement }) => sameName(requirement.name, name))?.line;
  return line?.at ?? firstPlace(section, specFile);
}

export const firstPlace = (section: PipSection, specFile: string): string =>
  section.requirements[0]?.line.at ?? specFile;

const sameName = (written: string | undefined, name: string): boolean =>
  written !== undefined && normalizeDistributionName(written) === name;

/** conda lets pip overwrite its packages, and then each believes to own the files: here it ends before anything is written. */
export function findReplaced(
  found: readonly ReportedDistribution[],
  prefix: CondaPrefix,
  section: PipSection,
  specFile: string,
): Problem[] {
  return found.flatMap((one): Problem[] => {
    const there = prefix.distributions.get(one.name);
    if (!there) return [];
    const wanting = found
      .filter(({ requires }) => requires.includes(one.name))
      .map(({ name, version }) => `${name} ${version}`);
    const by = one.requested ? 'the pip section names it' : `${wanting.join(', ') || 'a requirement'} wants it so`;
    return [
      {
        code: 'PIP_REPLACES_CONDA',
        at: placeOf(one.requested ? one.name : (wanting[0]?.split(' ')[0] ?? one.name), section, specFile),
        message: `pip would replace ${one.name} ${there.version} of the conda package ${there.package} by ${one.name} ${one.version} (${by}), which leaves neither whole`,
        hint: `write - ${there.package}=${one.version} among the conda packages, or another version of what wants it`,
      },
    ];
  });
}

/** A hostile name or version, too: both are written into what pip is told later. */
export function findUnlockable(
  locked: readonly LockedDistribution[],
  section: PipSection,
  specFile: string,
): Problem[] {
  return locked.flatMap((one): Problem[] => {
    const why = describeUnlockable(one);
    if (why === undefined) return [];
    return [
      {
        code: 'PIP_UNVERIFIABLE',
        at: placeOf(one.name, section, specFile),
        message: `${JSON.stringify(`${one.name} ${one.version}`)} of ${redactUrls(one.url.split('?')[0] ?? '')} cannot be locked: ${why}`,
        hint: 'choose another version or index; PEP 503 has a sha256 in the link of each file',
      },
    ];
  });
}

// `condense publish`: shows users gated releases, several in one generation, and moves aliases in the same step.
import type { WantedChange } from '../release/change-face.ts';
import { parsePromotion, planPublish } from '../release/face-plan.ts';
import { readGatedRelease } from '../release/gated-release.ts';
import { NOTHING_PUBLISHED } from '../release/generation.ts';
import { parseReleaseNames, type ReleaseName } from '../release/release-name.ts';
import { checkRelease } from '../release/verify-release.ts';
import { AppError } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import { runChange } from './face.ts';
import type { Session } from './session.ts';

export interface PublishOptions {
  readonly promote?: readonly string[] | undefined;
  /** Also where a release replaces what is stable and protected. */
  readonly stable?: boolean | undefined;
  readonly dryRun?: boolean | undefined;
}

/** @param releases `<full name>/<release id>`, as `condense build` prints them */
export async function runPublish(
  session: Session,
  releases: readonly string[],
  options: PublishOptions,
): Promise<void> {
  const names = parseReleaseNames(releases);
  const wanted = planPublishing(session, names, options);
  const listed = releases.join(' and ');
  await runChange(session, wanted, {
    data: { releases },
    done: ({ generation }) => `${listed} ${names.length === 1 ? 'is' : 'are'} live as generation ${generation ?? ''}`,
    nothing: `${listed} ${names.length === 1 ? 'was' : 'were'} live already: nothing to do`,
    dryRun: options.dryRun,
  });
}

/** @throws AppError PROMOTION_INVALID, RELEASE_NAME_TWICE (exit 2) */
export function planPublishing(
  { config, layout, output, signal }: Session,
  names: readonly ReleaseName[],
  { promote = [], stable }: PublishOptions,
): WantedChange {
  const twice = names.find((name, index) => names.findIndex((one) => one.fullName === name.fullName) !== index);
  if (twice && names.some((name) => name.fullName === twice.fullName && name.id !== twice.id)) {
    throw new AppError(EXIT.usage, {
      code: 'RELEASE_NAME_TWICE',
      message: `two releases of ${twice.fullName} cannot be live at the same time`,
      hint: 'name one of them',
    });
  }
  const promotions = promote.map(parsePromotion);
  return {
    action: 'publish',
    subject: [
      ...names.map(({ fullName, id }) => `${fullName}/${id}`),
      ...promote.flatMap((text) => ['--promote', text]),
    ].join(' '),
    check: async (current) => {
      // What is live already is looked at by `condense verify`.
      for (const { fullName, id } of names)
        if (current?.versions.get(fullName) !== id)
          await checkRelease(layout, fullName, id, { signing: config.signing, report: output.report, signal });
    },
    plan: async (current) => {
      const releases = [];
      for (const { fullName, id } of names) {
        releases.push(await readGatedRelease(layout, fullName, id));
      }
      return planPublish(current ?? NOTHING_PUBLISHED, { releases, promotions, stable }, config);
    },
  };
}

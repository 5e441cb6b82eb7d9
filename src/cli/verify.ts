// `condense verify`: whether releases, and what users reach of them, still are what was built and published.
import { readManifest } from '../release/find-release.ts';
import { environmentOf, parseReleaseName } from '../release/release-name.ts';
import { readCurrentGeneration } from '../release/site-state.ts';
import { verifyFace } from '../release/verify-face.ts';
import { verifyRelease, type VerifiedRelease } from '../release/verify-release.ts';
import { AppError, type Problem } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';

import { runRebuild } from './rebuild.ts';
import type { Session } from './session.ts';

export interface VerifyCommandOptions {
  /** Sizes, modes and links; no digests. */
  readonly quick?: boolean | undefined;
  /** Builds one release again instead. */
  readonly rebuild?: boolean | undefined;
}

/**
 * Changes nothing, takes no lock; with `rebuild` see `runRebuild`.
 * @param subject an environment, a full name (what is live of it), `<full name>/<release id>`, or undefined for all that is live
 * @throws AppError with every difference (exit 7); ENVIRONMENT_NOT_LIVE (exit 7)
 */
export async function runVerify(
  session: Session,
  subject: string | undefined,
  options: VerifyCommandOptions,
): Promise<void> {
  if (options.rebuild) {
    await runRebuild(session, subject, options);
    return;
  }
  const { layout, output, signal } = session;
  const face = subject === undefined ? await verifyFace(layout) : [];
  const known = new Map<string, string>();
  const releases: VerifiedRelease[] = [];
  for (const { fullName, id } of await listSubjects(session, subject)) {
    signal.throwIfAborted();
    releases.push(
      await verifyRelease(layout, fullName, id, {
        quick: options.quick,
        signing: session.config.signing,
        known,
        report: output.report,
        signal,
      }),
    );
  }
  const whole = releases.filter((release) => release.problems.length === 0);
  const checked = options.quick ? 'sizes, modes and links' : 'digests, modes and links';
  output.result({ quick: options.quick ?? false, face, releases }, [
    ...whole.map(({ fullName, id }) => `${fullName}/${id} is whole: ${checked} are as its manifest says`),
    ...(subject === undefined && face.length === 0 && releases.length > 0
      ? ['what users reach is what was published']
      : []),
    ...(releases.length === 0 && face.length === 0 ? ['nothing is published'] : []),
  ]);
  const problems: Problem[] = [...face, ...releases.flatMap((release) => release.problems)];
  if (problems.length > 0) throw new AppError(EXIT.publishFailed, problems);
}

/** @param subject as runVerify's. @throws AppError ENVIRONMENT_NOT_LIVE (exit 7), RELEASE_NAME_INVALID (2) */
export async function listSubjects(
  { layout }: Pick<Session, 'layout'>,
  subject: string | undefined,
): Promise<{ readonly fullName: string; readonly id: string }[]> {
  if (subject?.includes('/')) return [parseReleaseName(subject)];
  const live = [...((await readCurrentGeneration(layout))?.versions ?? [])].map(([fullName, id]) => ({ fullName, id }));
  if (subject === undefined) return live;
  const chosen = [];
  for (const release of live) {
    const manifest = await readManifest(layout, release.fullName, release.id).catch((error: unknown) => {
      if (!(error instanceof AppError)) throw error;
      return undefined; // a damaged one is named by verifying it
    });
    const names = [release.fullName, environmentOf(release.fullName), manifest?.environment];
    if (names.includes(subject)) chosen.push(release);
  }
  if (chosen.length > 0) return chosen;
  throw new AppError(EXIT.publishFailed, {
    code: 'ENVIRONMENT_NOT_LIVE',
    message: `nothing of ${JSON.stringify(subject)} is live; live: ${live.map(({ fullName }) => fullName).join(', ') || 'nothing'}`,
    hint: 'condense list --releases',
  });
}

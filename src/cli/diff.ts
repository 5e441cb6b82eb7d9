// `condense diff`: what differs between two releases, versions or generations, or either of them and what is live.
import { describeFaceChanges, planFaceChanges } from '../release/face-changes.ts';
import { readManifest } from '../release/find-release.ts';
import type { FaceChange } from '../release/generation-record.ts';
import type { PublicFace } from '../release/generation.ts';
import { compareReleases, type ReleaseComparison } from '../release/release-diff.ts';
import { parseIfReleaseName, type ReleaseName } from '../release/release-name.ts';
import { readCurrentGeneration, readGenerations } from '../release/site-state.ts';
import { AppError } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import { describeComparison } from './describe-comparison.ts';
import type { Session } from './session.ts';

/** What a word of the command line means. */
type Subject =
  | { readonly kind: 'release'; readonly text: string; readonly release: ReleaseName }
  | { readonly kind: 'face'; readonly text: string; readonly face: PublicFace };

/** @throws AppError SUBJECT_UNKNOWN (exit 2); RELEASE_MISSING, MANIFEST_INVALID (exit 7) */
export async function runDiff(session: Session, a: string, b: string): Promise<void> {
  const [from, to] = [await readSubject(session, a), await readSubject(session, b)];
  if (from.kind === 'face' && to.kind === 'face') {
    await diffFaces(session, from.face, to.face);
    return;
  }
  const [one, other] = [pickRelease(from, to), pickRelease(to, from)];
  const comparison = await compare(session, one, other);
  const title = `${one.fullName}/${one.id} -> ${other.fullName}/${other.id}`;
  session.output.result({ from: one, to: other, ...comparison }, [title, ...describeComparison(comparison)]);
}

async function diffFaces(session: Session, before: PublicFace, after: PublicFace): Promise<void> {
  const compared: (FaceChange & { readonly comparison?: ReleaseComparison | undefined })[] = [];
  for (const change of planFaceChanges(before, after)) {
    const { kind, name, from, to } = change;
    compared.push({
      ...change,
      ...(kind === 'version' && from !== undefined && to !== undefined
        ? { comparison: await compareIfThere(session, name, from, to) }
        : {}),
    });
  }
  session.output.result(
    { changes: compared },
    compared.length === 0
      ? ['users see the same']
      : compared.flatMap(({ comparison, ...change }) => [
          ...describeFaceChanges([change]),
          ...(comparison ? describeComparison(comparison).map((line) => `  ${line}`) : []),
        ]),
  );
}

/** Undefined where one of the two was collected or is damaged: the rest can still be told. */
async function compareIfThere(
  session: Session,
  fullName: string,
  from: string,
  to: string,
): Promise<ReleaseComparison | undefined> {
  try {
    return await compare(session, { fullName, id: from }, { fullName, id: to });
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    session.output.report({ type: 'warning', text: `${fullName} cannot be compared: ${error.message}` });
    return undefined;
  }
}

async function compare({ layout }: Session, from: ReleaseName, to: ReleaseName): Promise<ReleaseComparison> {
  return compareReleases(
    await readManifest(layout, from.fullName, from.id),
    await readManifest(layout, to.fullName, to.id),
  );
}

/** A generation beside a release stands for what it shows of that version. */
function pickRelease(subject: Subject, other: Subject): ReleaseName {
  if (subject.kind === 'release') return subject.release;
  const fullName = other.kind === 'release' ? other.release.fullName : '';
  const id = subject.face.versions.get(fullName);
  if (id !== undefined) return { fullName, id };
  throw new AppError(EXIT.usage, {
    code: 'SUBJECT_UNKNOWN',
    message: `${subject.text} has no ${fullName} to compare ${other.text} with; it has: ${[...subject.face.versions.keys()].join(', ') || 'nothing'}`,
    hint: 'name two releases, or two versions that are live',
  });
}

async function readSubject({ layout }: Session, text: string): Promise<Subject> {
  const release = parseIfReleaseName(text);
  if (release) return { kind: 'release', text, release };
  const current = await readCurrentGeneration(layout);
  if (text === 'live' && current) return { kind: 'face', text, face: current };
  if (/^[1-9]\d*$/.test(text)) {
    const face = (await readGenerations(layout)).find(({ number }) => number === Number(text));
    if (face) return { kind: 'face', text: `generation ${text}`, face };
  }
  const fullName = current?.aliases.get(text) ?? text;
  const id = current?.versions.get(fullName);
  if (id !== undefined) return { kind: 'release', text, release: { fullName, id } };
  throw new AppError(EXIT.usage, {
    code: 'SUBJECT_UNKNOWN',
    message: `${JSON.stringify(text)} is no release (<full name>/<release id>), no live version or alias, no number of a generation, nor "live"`,
    hint: 'condense list --releases; condense history',
  });
}

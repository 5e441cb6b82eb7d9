// `condense verify --rebuild`: whether building a release again gives the same image, byte for byte.
import { rebuildRelease, type Rebuilt } from '../build/rebuild.ts';
import { findMeantRelease } from '../release/find-meant-release.ts';
import { readManifest } from '../release/find-release.ts';
import { withLock } from '../release/site-lock.ts';
import { AppError } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import { describeFullDisk } from '../system/system-error.ts';
import { readOwnLock } from './own-lock.ts';
import { openBuild, type Session } from './session.ts';

/**
 * @param text a release, or what is live: see `findMeantRelease`
 * @throws AppError USAGE_INVALID (exit 2); REBUILD_DIFFERS with the first files that differ (exit 7); those of a build
 */
export async function runRebuild(
  session: Session,
  text: string | undefined,
  { quick }: { readonly quick?: boolean | undefined },
): Promise<void> {
  if (text === undefined || quick) {
    throw new AppError(EXIT.usage, {
      code: 'USAGE_INVALID',
      message: '--rebuild is for one release, and without --quick',
      hint: 'condense verify --rebuild <environment, or full name/release id>',
    });
  }
  const { layout, output } = session;
  const { fullName, id } = await findMeantRelease(layout, text);
  const manifest = await readManifest(layout, fullName, id);
  const lock = await readOwnLock(layout, manifest);
  const context = await openBuild(session);
  const claim = layout.lockFile(fullName);
  const rebuilt = await withLock(claim, `rebuilding ${fullName}`, () => rebuildRelease(context, manifest, lock)).catch(
    (error: unknown) => {
      throw describeFullDisk(error, EXIT.buildFailed);
    },
  );
  const reproduced = rebuilt.released === rebuilt.rebuilt;
  output.result({ release: `${fullName}/${id}`, reproduced, ...rebuilt }, [
    ...(reproduced ? [`${fullName}/${id} was built again, and its image has the same bytes: ${rebuilt.rebuilt}`] : []),
  ]);
  if (reproduced) return;
  throw new AppError(EXIT.publishFailed, {
    code: 'REBUILD_DIFFERS',
    message: `was built again, and the image has sha256 ${rebuilt.rebuilt}, not ${rebuilt.released}:\n${describeDifferences(rebuilt).join('\n')}`,
    at: layout.release(fullName, id).image,
    hint: `condense verify ${fullName}/${id}   (whether the release is what it was; what differs is of the build)`,
  });
}

function describeDifferences({ differences, inputs, tools }: Rebuilt): string[] {
  return [
    ...differences.map(({ path, what }) => `${path} ${what}`),
    ...(differences.length === 0 ? ['no file differs: the same files are packed otherwise'] : []),
    ...tools.map(({ name, from, to }) => `then ${name} ${from}, now ${to}`),
    ...(inputs.length > 0 ? [`inputs that are not what they were: ${inputs.join(', ')}`] : []),
  ];
}

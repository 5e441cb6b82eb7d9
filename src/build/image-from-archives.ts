// The way to an image for an environment that nothing has to run in before it is packed: no tree is made on disk. The
// image has the same bytes as by the other way (test/integration/build/image-ways.test.ts).
import path from 'node:path';
import { renderCondaState, STATE } from '../conda/conda-meta.ts';
import { spoolPrefix } from '../conda/native-installer.ts';
import type { StagingLayout } from '../site/layout.ts';
import { makeDir, readSpan, writeNewFile } from '../system/files.ts';
import { runCommand } from '../system/run-command.ts';
import { compareTarPaths, type TarEntry } from '../system/tar-stream.ts';
import { captureActivation } from './activate.ts';
import { auditImage } from './audit.ts';
import type { BuildPlan } from './build-plan.ts';
import { planContainerCommand } from './container.ts';
import { isCustomised } from './customise.ts';
import { planPrefixContent } from './image-content.ts';
import type { ImageRequest, StagedImage } from './image-request.ts';
import { hasTarInput, writeImageOf } from './pack.ts';
import { makeStagingDir, planCommands, planMarker, type Marker } from './stage.ts';
import { planBuildContainer, planInstall } from './staged-prefix.ts';

/** @returns undefined where a tree is needed */
export async function writeImageFromArchives(request: ImageRequest): Promise<StagedImage | undefined> {
  const { context, plan, lock, findSame, timed } = request;
  const { config, layout, signal } = context;
  if (!mayDoWithoutTree(request) || !(await hasTarInput())) return undefined;
  const staging = layout.staging(plan.fullName);
  const spooled = await timed('stage', async () => {
    await makeStagingDir(staging);
    return await spoolPrefix(planInstall(context, plan, request), staging.spool);
  });
  const why = typeof spooled === 'string' ? spooled : describeNeedOfTree(plan, spooled.entries);
  if (typeof spooled === 'string' || why !== undefined) {
    context.report({ type: 'note', text: `packages are unpacked again, as a tree: ${why ?? ''}` });
    return undefined;
  }
  const { inputs, inputsDigest } = await findSame(lock);
  const marker = planMarker(layout, plan.fullName);
  const top = path.relative(staging.root, staging.prefix);
  const content = planContent(spooled.entries, top, marker, plan.spec.variables);
  const libraries = await timed('audit', () =>
    Promise.resolve(
      auditImage({
        ...{ content: planPrefixContent(spooled.entries), replaced: [], prefixInside: plan.condaPrefix },
        ...{ binds: config.binds.run, policy: plan.environment.customise.libraries, report: context.report },
      }),
    ),
  );
  const image = await timed('pack', () => writeImageOf(content, staging.image, config.squashfs, signal));
  const activation = await timed('activate', async () => {
    await writeActivationFiles(staging, content);
    const container = await planBuildContainer(context, plan, request.base, { image: image.file });
    return await captureActivation(staging.prefix, plan.condaPrefix, plan.fullName, (command) =>
      runCommand(planContainerCommand(container, { ...command, signal })),
    );
  });
  return {
    ...{ image, lock, inputs, inputsDigest, activation, commands: planCommands(spooled.entries) },
    ...{ libraries, dropped: [], orderedFiles: 0, wheels: [], notes: spooled.notes },
  };
}

/** What can be told before anything is downloaded. */
function mayDoWithoutTree({ context, plan, lock, pip }: ImageRequest): boolean {
  const { customise, drop } = plan.environment;
  return (
    context.installer === undefined &&
    pip === undefined &&
    !lock.packages.some(({ name }) => name === 'python') &&
    !isCustomised(customise) &&
    !drop.staticLibraries &&
    !drop.tests &&
    drop.patterns.length === 0
  );
}

/** What the host has instead is left out of a tree; links among what activation reads lead to the rest of it. */
function describeNeedOfTree({ environment }: BuildPlan, entries: readonly TarEntry[]): string | undefined {
  const commands = new Set(planCommands(entries));
  const outside = environment.outsideCommands.find((name) => commands.has(name));
  if (outside !== undefined) return `${outside} is one of outside_commands`;
  const link = entries.find(({ kind, path: at }) => kind.endsWith('link') && isOfActivation(at));
  return link && `${link.path} is a link`;
}

const isOfActivation = (at: string): boolean => at.startsWith('etc/conda/') || at === STATE;

/** The few files that are read besides those that shells source in the image, at their places in the prefix. */
async function writeActivationFiles(staging: StagingLayout, content: readonly TarEntry[]): Promise<void> {
  await makeDir(staging.prefix);
  for (const entry of content) {
    const file = path.join(staging.root, entry.path);
    if (entry.kind !== 'file' || !isOfActivation(path.relative(staging.prefix, file))) continue;
    await makeDir(path.dirname(file));
    const bytes = entry.content;
    await writeNewFile(file, 'data' in bytes ? bytes.data : await readSpan(bytes.spool, bytes));
  }
}

/**
 * All that is in the image: the prefix, what is ours in it, and the directories above.
 * @param top the prefix, relative to the root of the image
 */
export function planContent(
  prefix: readonly TarEntry[],
  top: string,
  marker: Marker,
  variables: Readonly<Record<string, string>>,
): TarEntry[] {
  const below = (at: string): string => path.posix.join(top, at);
  const own = (name: string, text: string): TarEntry => ({
    ...{ kind: 'file', path: below(name), mode: 0o644, mtimeSeconds: 0, content: { data: Buffer.from(text) } },
  });
  const all: TarEntry[] = prefix.map((entry) =>
    entry.kind === 'hardlink'
      ? { ...entry, path: below(entry.path), target: below(entry.target) }
      : { ...entry, path: below(entry.path) },
  );
  all.push(own(marker.name, marker.text));
  if (Object.keys(variables).length > 0) all.push(own(STATE, renderCondaState(variables)));
  for (let dir = top; dir !== '.'; dir = path.posix.dirname(dir))
    all.push({ kind: 'directory', path: dir, mode: 0o755, mtimeSeconds: 0 });
  return all.sort((a, b) => compareTarPaths(a.path, b.path));
}

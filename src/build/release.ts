// Stage: one immutable release directory: image, farm, launcher, module, kernel, manifest.
import path from 'node:path';
import { renderEnterProgram } from '../../launcher/enter-program.ts';
import type { SessionFacts } from '../../launcher/facts.ts';
import { renderLauncher } from '../../launcher/render.ts';
import type { ModulePolicy } from '../config/site-config.ts';
import { renderLock } from '../conda/lock.ts';
import type { EnvironmentLock } from '../conda/lock.ts';
import { ACTIVATE_SHELLS, renderActivateFile } from '../modules/activate-files.ts';
import { planCondaPrefix, type CondaPrefixPlan } from '../modules/conda-prefix-files.ts';
import { renderLuaModule } from '../modules/lua-module.ts';
import { listModuleVariables } from '../modules/module-facts.ts';
import { renderTclModule } from '../modules/tcl-module.ts';
import {
  describeReleaseId,
  renderManifest,
  renderMode,
  type ReleaseFacts,
  type ReleaseManifest,
} from '../release/manifest.ts';
import { ReleaseLayout, type Layout } from '../site/layout.ts';
import { writePermissions, type AccessPolicy } from '../site/permissions.ts';
import type { ModuleTemplates } from '../site/product.ts';
import {
  copyNewFile,
  digestFile,
  link,
  makeDir,
  makePrivateDir,
  makeSharedDir,
  readLinkIfThere,
  removeTree,
  rename,
  symlink,
  syncPath,
  walkTree,
  writeNewFile,
} from '../system/files.ts';
import type { ReleaseLauncherFacts } from './build-inputs.ts';
import { renderKernelSpec } from '../modules/kernel-spec.ts';
import { planModuleFacts } from './module-facts.ts';
import { AppError } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';

export interface ReleaseRequest {
  readonly facts: ReleaseFacts;
  readonly lock: EnvironmentLock;
  /** The packed image on the staging disk. */
  readonly image: string;
  readonly site: string;
  readonly moduleTemplates: ModuleTemplates;
  readonly module: ModulePolicy;
  readonly plannerCode: string;
  readonly launcher: ReleaseLauncherFacts;
  readonly access: AccessPolicy;
}

/**
 * Assembles the release under a name that nothing refers to, then renames it to its id.
 * It is not published, and cannot be before it has a gate report.
 */
export async function writeRelease(layout: Layout, request: ReleaseRequest): Promise<ReleaseManifest> {
  const { facts } = request;
  const id = describeReleaseId(facts);
  const final = layout.release(facts.fullName, id);
  const aside = new ReleaseLayout(path.join(path.dirname(final.dir), `.incoming-${id}`), facts.fullName);
  await makeSharedDir(path.dirname(aside.dir));
  try {
    const manifest = await writeIncoming(layout, request, id, aside);
    await rename(aside.dir, final.dir);
    await syncPath(path.dirname(final.dir));
    return manifest;
  } finally {
    await removeTree(aside.dir); // a failed one: after the rename there is nothing by that name
  }
}

async function writeIncoming(
  layout: Layout,
  request: ReleaseRequest,
  id: string,
  aside: ReleaseLayout,
): Promise<ReleaseManifest> {
  const { facts } = request;
  await makePrivateDir(aside.dir); // nobody sees it, nor its image, before it has its permissions
  await writeImageFile(request.image, aside.image, facts.image.sha256);
  await writeNewFile(aside.lock, renderLock(request.lock));
  const moduleFacts = planModuleFacts(layout, request.site, request.module, facts, id);
  const sessions = planEntering(request, layout.release(facts.fullName, id));
  if (sessions?.enter !== undefined) await writeNewFile(aside.enter, renderEnterProgram(), 0o755);
  await writeNewFile(
    aside.launcher,
    renderLauncher(
      {
        ...request.launcher,
        sessions,
        fullName: facts.fullName,
        releaseId: id,
        releasesDir: layout.releasesOf(facts.fullName),
        moduleVariables: [...new Set(listModuleVariables(moduleFacts))].sort(),
      },
      request.plannerCode,
    ),
    0o755,
  );
  await makeDir(aside.farm);
  const sourced = ACTIVATE_SHELLS.map((shell) => ({ shell, file: aside.activateFile(shell) }));
  for (const { shell, file } of sourced) {
    await writeNewFile(file, renderActivateFile(shell, request.moduleTemplates.activate[shell], moduleFacts));
  }
  // conda's own bin/activate is for sourcing, too: a link to the launcher would be of no use.
  const commands = facts.commands.filter((name) => !sourced.some(({ file }) => file === aside.command(name)));
  for (const name of commands) await symlink('../launcher', aside.command(name));
  await makeDir(aside.overrides);
  await makeDir(aside.modules);
  await writeNewFile(aside.tclModule, renderTclModule(request.moduleTemplates.tcl, moduleFacts));
  await writeNewFile(aside.luaModule, renderLuaModule(request.moduleTemplates.lua, moduleFacts));
  if (facts.packages.some((entry) => entry.name === 'ipykernel')) {
    await makeDir(path.dirname(aside.kernelSpec));
    await writeNewFile(aside.kernelSpec, renderKernelSpec(moduleFacts));
  }
  await writeCondaPrefix(
    aside,
    planCondaPrefix(moduleFacts, layout.condaPrefix(facts.fullName), request.moduleTemplates.condaHook),
  );
  // Before the manifest, which records the modes; it and the gate's report get theirs as they are written.
  await writePermissions(aside.dir, request.access, aside.image);
  const manifest = { ...facts, id, ...(await readContents(aside.dir)) };
  await writeNewFile(aside.manifest, renderManifest(manifest), 0o444);
  for await (const entry of walkTree(aside.dir))
    if (entry.kind !== 'link') await syncPath(path.join(aside.dir, entry.path));
  await syncPath(aside.dir);
  return manifest;
}

/** On other processors nsenter and a shell do what the release's own program does. */
function planEntering({ launcher }: ReleaseRequest, final: ReleaseLayout): SessionFacts | undefined {
  if (launcher.sessions === undefined || process.arch !== 'x64') return launcher.sessions;
  return { ...launcher.sessions, enter: final.enter };
}

async function writeCondaPrefix({ condaPrefix }: ReleaseLayout, plan: CondaPrefixPlan): Promise<void> {
  await makeDir(condaPrefix);
  for (const { path: name, text } of plan.files) {
    await makeDir(path.dirname(path.join(condaPrefix, name)));
    await writeNewFile(path.join(condaPrefix, name), text);
  }
  for (const { path: name, target } of plan.links) await symlink(target, path.join(condaPrefix, name));
}

/** A hard link where staging and store share a file system; else a copy that is read back and compared. */
async function writeImageFile(from: string, to: string, sha256: string): Promise<void> {
  try {
    await link(from, to);
    return;
  } catch (error) {
    if (!['EXDEV', 'EPERM', 'EMLINK'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
  await copyNewFile(from, to);
  if ((await digestFile(to)) !== sha256) {
    throw new AppError(EXIT.buildFailed, {
      code: 'COPY_CORRUPT',
      message: `differs from ${from} after copying`,
      at: to,
      hint: 'check both disks, then run the build again',
    });
  }
}

async function readContents(dir: string): Promise<Required<Pick<ReleaseManifest, 'files' | 'links'>>> {
  const files: ReleaseManifest['files'] = [];
  const links: NonNullable<ReleaseManifest['links']> = [];
  for await (const entry of walkTree(dir)) {
    const file = path.join(dir, entry.path);
    if (entry.kind === 'link') links.push({ path: entry.path, target: (await readLinkIfThere(file)) ?? '' });
    else if (entry.kind === 'file') {
      const { path: name, sizeBytes, mode } = entry;
      files.push({ path: name, sha256: await digestFile(file), sizeBytes, mode: renderMode(mode) });
    }
  }
  return { files, links };
}

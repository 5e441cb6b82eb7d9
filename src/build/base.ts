// Stage: the base container, a few links and mount points named by what went into it.
import path from 'node:path';
import Handlebars from 'handlebars';
import type { BindPolicy } from '../config/site-config.ts';
import type { Layout } from '../site/layout.ts';
import type { ContainerRuntime } from '../site/runtime.ts';
import {
  chmod,
  digestText,
  makeDir,
  makeSharedDir,
  pathExists,
  readLinkIfThere,
  rename,
  removeTree,
  removeUnfinished,
  syncPath,
  writeNewFile,
} from '../system/files.ts';
import { runCommand } from '../system/run-command.ts';

export interface BasePlan {
  readonly definition: string;
  /** First 16 hex digits of the sha256 of the definition and of the runtime's version. */
  readonly digest: string;
  /** `<store>/bases/<digest>.sif` */
  readonly file: string;
}

/** On a merged-usr system `/bin` is a link into /usr: the container gets the same link. */
export interface RootLink {
  readonly path: string;
  readonly target: string;
}

const ALWAYS = ['dev', 'proc', 'sys', 'tmp', 'home', 'root', 'opt/conda'];

/** @param template the text of container/base.def.hbs */
export function planBase(
  layout: Pick<Layout, 'base'>,
  template: string,
  host: { readonly binds: BindPolicy; readonly rootLinks: readonly RootLink[]; readonly runtimeVersion: string },
): BasePlan {
  const handlebars = Handlebars.create();
  handlebars.registerHelper('sh', (value: unknown) => {
    if (typeof value !== 'string') throw new TypeError('the base template names a field that does not exist');
    return `'${value.replaceAll("'", `'\\''`)}'`;
  });
  const mountPoints = [...host.binds.run, ...host.binds.build].map((dir) => dir.replace(/^\/+/, ''));
  const definition = handlebars.compile(template, { strict: true, noEscape: true })({
    directories: [...new Set([...ALWAYS, ...mountPoints])].sort(),
    links: [...host.rootLinks].sort((a, b) => (a.path < b.path ? -1 : 1)),
  });
  const digest = digestText(`${definition}\0${host.runtimeVersion}`).slice(0, 16);
  return { definition, digest, file: layout.base(digest) };
}

/** Which of the top directories of this machine are links, e.g. `/bin -> usr/bin`. */
export async function readRootLinks(): Promise<RootLink[]> {
  const links: RootLink[] = [];
  for (const name of ['bin', 'lib', 'lib32', 'lib64', 'libx32', 'sbin']) {
    const target = await readLinkIfThere(path.join('/', name));
    if (target !== undefined) links.push({ path: name, target: target.replace(/^\/+/, '') });
  }
  return links;
}

/**
 * Builds the base with the real runtime, unless that very base is there. Call it with the store lock held: what a
 * killed build left is cleared away.
 * @returns whether it was built
 */
export async function writeBase(plan: BasePlan, runtime: ContainerRuntime, signal?: AbortSignal): Promise<boolean> {
  if (await pathExists(plan.file)) return false;
  await makeSharedDir(path.dirname(plan.file));
  await removeUnfinished(path.dirname(plan.file));
  // Of our own: a runtime that outlived a killed build may still be writing to the name that it was given.
  const scratch = `${plan.file}.${process.pid}.tmp`;
  await makeDir(scratch);
  try {
    const definition = path.join(scratch, 'base.def');
    const image = path.join(scratch, 'base.sif');
    await writeNewFile(definition, plan.definition);
    await runCommand({
      program: runtime.program,
      args: ['build', image, definition],
      signal,
      writesTo: path.dirname(plan.file),
      failureHint: 'condense doctor',
    });
    await chmod(image, 0o644);
    await syncPath(image);
    await rename(image, plan.file);
    await syncPath(path.dirname(plan.file));
  } finally {
    await removeTree(scratch);
  }
  return true;
}

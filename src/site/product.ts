// condense itself: its version, its templates and the compiled launcher, read once per command.
import product from '../../package.json' with { type: 'json' };
import type { Layout } from './layout.ts';
import { AppError } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import {
  chmod,
  copyNewFile,
  makeSharedDir,
  pathExists,
  readText,
  removeUnfinished,
  rename,
  syncPath,
} from '../system/files.ts';
import path from 'node:path';

/** Texts of modules-templates. */
export interface ModuleTemplates {
  readonly tcl: string;
  readonly lua: string;
  /** Of the files to source, by shell. */
  readonly activate: Readonly<Record<'sh' | 'csh' | 'fish', string>>;
  /** Of what conda reads when it activates and deactivates, by shell. */
  readonly condaHook: Readonly<Record<'sh' | 'csh' | 'fish', string>>;
}

export interface Product {
  readonly version: string;
  readonly baseTemplate: string;
  readonly moduleTemplates: ModuleTemplates;
  readonly plannerCode: string;
}

/** @throws AppError PRODUCT_INCOMPLETE when it was not built */
export async function readProduct(layout: Layout): Promise<Product> {
  if (!(await pathExists(layout.launcherPlanner))) {
    throw new AppError(EXIT.siteNotReady, {
      code: 'PRODUCT_INCOMPLETE',
      message: 'is missing: this copy of condense was not built',
      at: layout.launcherPlanner,
      hint: 'npm run build',
    });
  }
  return {
    version: product.version,
    baseTemplate: await readText(layout.baseDefinitionTemplate),
    moduleTemplates: await readModuleTemplates(layout),
    plannerCode: await readText(layout.launcherPlanner),
  };
}

export async function readModuleTemplates(layout: Layout): Promise<ModuleTemplates> {
  const byShell = async (name: string): Promise<ModuleTemplates['activate']> => ({
    sh: await readText(layout.moduleTemplate(`${name}.sh.hbs`)),
    csh: await readText(layout.moduleTemplate(`${name}.csh.hbs`)),
    fish: await readText(layout.moduleTemplate(`${name}.fish.hbs`)),
  });
  return {
    tcl: await readText(layout.moduleTemplate('environment.tcl.hbs')),
    lua: await readText(layout.moduleTemplate('environment.lua.hbs')),
    activate: await byShell('activate'),
    condaHook: await byShell('conda-hook'),
  };
}

/**
 * Puts the Node that runs the launcher's planner into the store, once per version. Call it with the store lock held:
 * what a killed build left is cleared away.
 * @returns its path
 */
export async function writeNodeRuntime(layout: Layout): Promise<string> {
  const node = layout.node(process.versions.node);
  if (await pathExists(node)) return node;
  await makeSharedDir(path.dirname(node));
  await removeUnfinished(path.dirname(node));
  const aside = `${node}.tmp`;
  await copyNewFile(process.execPath, aside);
  await chmod(aside, 0o755);
  await syncPath(aside);
  await rename(aside, node);
  await syncPath(path.dirname(node));
  return node;
}

// Generations: the public face of the site as data, and the links that show it.
import path from 'node:path';
import { renderLuaModulerc, renderModulerc } from '../modules/modulerc.ts';
import type { Layout } from '../site/layout.ts';
import { AppError, type Problem } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import { renderGenerationRecord, type GenerationRecord } from './generation-record.ts';

/** What users can reach: which release each version is, and which version each alias means. */
export interface PublicFace {
  /** Full name to release id. */
  readonly versions: ReadonlyMap<string, string>;
  /** Alias, e.g. `analysis3`, to full name. */
  readonly aliases: ReadonlyMap<string, string>;
}

export interface Generation extends PublicFace {
  readonly number: number;
  /** Set when a rollback made it: the generation whose content it has. */
  readonly restores?: number | undefined;
}

export const NOTHING_PUBLISHED: PublicFace = { versions: new Map(), aliases: new Map() };

export interface GenerationPlan {
  readonly number: number;
  readonly dir: string;
  readonly directories: readonly string[];
  readonly links: readonly { readonly path: string; readonly target: string }[];
  readonly files: readonly { readonly path: string; readonly text: string }[];
}

/** True when users would see no difference. */
export function compareFaces(a: PublicFace, b: PublicFace): boolean {
  const same = (one: ReadonlyMap<string, string>, other: ReadonlyMap<string, string>): boolean =>
    one.size === other.size && [...one].every(([name, value]) => other.get(name) === value);
  return same(a.versions, b.versions) && same(a.aliases, b.aliases);
}

/**
 * What no generation may show: an alias that leads nowhere, or one name for two things.
 * @throws AppError ALIAS_DANGLING, ALIAS_TAKEN (exit 7), each a problem of its own
 */
export function checkFace(face: PublicFace): void {
  const problems: Problem[] = [];
  for (const [alias, fullName] of face.aliases) {
    if (face.versions.has(alias)) {
      problems.push({
        code: 'ALIAS_TAKEN',
        message: `${alias} would be an alias, of ${fullName}, and a published version at the same time`,
        hint: `call the environment otherwise in the configuration, or take the version away first: condense remove ${alias}`,
      });
    }
    if (!face.versions.has(fullName)) {
      problems.push({
        code: 'ALIAS_DANGLING',
        message: `alias ${alias} would lead nowhere: it means ${fullName}, which would not be published`,
        hint: `move it first (condense promote ${alias}=<version>), or take it away as well (condense remove ${fullName} ${alias})`,
      });
    }
  }
  if (problems.length > 0) throw new AppError(EXIT.publishFailed, problems);
}

/**
 * Every path of a generation. Link targets are relative: a site can be mounted elsewhere.
 * @param record who made it, when and why, a file of its own; older ones have none
 */
export function planGeneration(layout: Layout, generation: Generation, record?: GenerationRecord): GenerationPlan {
  const at = layout.generation(generation.number);
  const modules = at.modules(layout.moduleFamily);
  const links: { path: string; target: string }[] = [];
  const add = (link: string, to: string): void => {
    links.push({ path: link, target: path.relative(path.dirname(link), to) });
  };
  for (const [fullName, id] of generation.versions) {
    const release = layout.release(fullName, id);
    add(path.join(at.envs, `${fullName}.sqsh`), release.image);
    // Dangling on the host by design: that path exists inside the container.
    links.push({ path: path.join(at.envs, fullName), target: layout.condaPrefix(fullName) });
    add(path.join(at.scripts, `${fullName}.d`), release.dir);
    add(path.join(modules, fullName), release.tclModule);
    add(path.join(modules, `${fullName}.lua`), release.luaModule);
    // Leads nowhere where the environment has no kernel; Jupyter takes no notice then.
    add(at.kernel(fullName), path.dirname(release.kernelSpec));
    // Nor has one that was built before condense made it; conda takes no notice then, either.
    add(path.join(at.activate, fullName), release.condaPrefix);
  }
  for (const [alias, fullName] of generation.aliases) {
    links.push({ path: path.join(at.envs, alias), target: fullName });
    links.push({ path: path.join(at.scripts, `${alias}.d`), target: `${fullName}.d` });
    links.push({ path: path.join(at.activate, alias), target: fullName });
  }
  if (generation.restores !== undefined) links.push({ path: at.restores, target: `../${generation.restores}` });
  return {
    number: generation.number,
    dir: at.dir,
    directories: [at.dir, at.envs, at.scripts, path.dirname(modules), modules, at.jupyter, at.kernels, at.activate],
    links,
    files: [
      { path: path.join(modules, '.modulerc'), text: renderModulerc(layout.moduleFamily, generation.aliases) },
      { path: path.join(modules, '.modulerc.lua'), text: renderLuaModulerc(layout.moduleFamily, generation.aliases) },
      ...(record ? [{ path: at.record, text: renderGenerationRecord(record) }] : []),
    ],
  };
}

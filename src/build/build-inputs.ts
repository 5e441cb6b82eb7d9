// What a release depends on, as data: the facts of its launcher, and a digest of each input.
import path from 'node:path';
import type { InheritFacts, LauncherFacts, SessionFacts } from '../../launcher/facts.ts';
import type { DropRules, InheritPolicy, SiteConfig } from '../config/site-config.ts';
import { digestLock, type EnvironmentLock } from '../conda/lock.ts';
import type { Wheel } from '../pip/wheels.ts';
import type { ReleaseFacts } from '../release/manifest.ts';
import type { Layout } from '../site/layout.ts';
import { digestText } from '../system/files.ts';
import { redactUrls } from '../system/redact-urls.ts';
import { listRunBinds } from '../site/run-binds.ts';
import type { BuildContext } from './build-context.ts';
import type { BuildPlan } from './build-plan.ts';

/** The launcher's facts without those that the release itself decides. */
export type ReleaseLauncherFacts = Omit<LauncherFacts, 'releaseId' | 'releasesDir' | 'fullName' | 'moduleVariables'>;

export function planLauncherFacts(
  context: BuildContext,
  plan: BuildPlan,
  base: string,
  node: string,
): ReleaseLauncherFacts {
  const { config, layout } = context;
  return {
    condaPrefix: plan.condaPrefix,
    marker: layout.marker(plan.fullName),
    base,
    runtime: context.runtime.program,
    node,
    binds: [...planRunBinds(config, plan), ...planPublicBinds(layout)],
    farmRoots: [layout.publicScripts, layout.store, layout.publicActivate],
    outsideCommands: plan.environment.outsideCommands,
    sshHosts: plan.environment.sshHosts,
    usersGroup: config.groups.users,
    condenseVersion: context.product.version,
    inherit: planInherit(plan.environment.inherit),
    sessions: planSessions(context),
  };
}

/** Host directories that users' containers of this release have. */
export const planRunBinds = ({ binds }: SiteConfig, { environment }: BuildPlan): readonly string[] =>
  listRunBinds(
    binds.run,
    environment.customise.replace.map((rule) => rule.by),
  );

/**
 * The directories that hold the public links, not the links: these lead elsewhere after each publish, also between the two
 * steps in which a runtime makes a bind ("could not remount ...: invalid argument", 7 of 8,563 commands while 1,000
 * generations went by), and what one led to goes while programs run. None that holds where images are mounted.
 */
function planPublicBinds(layout: Layout): string[] {
  const parents = [layout.publicScripts, layout.publicActivate].map((link) => path.dirname(link));
  return [...new Set(parents)].filter((dir) => !`${layout.condaPrefix('')}/`.startsWith(`${dir}/`));
}

function planInherit({ drop, lists, userSite }: InheritPolicy): InheritFacts {
  return {
    drop,
    lists: Object.entries(lists).map(([name, directories]) => ({
      name,
      drop: directories.filter((directory) => !directory.startsWith('!')),
      keep: directories.filter((directory) => directory.startsWith('!')).map((directory) => directory.slice(1)),
    })),
    // Python takes an empty value for none (Python/initconfig.c): callers have the last word.
    defaults: userSite ? {} : { PYTHONNOUSERSITE: '1' },
  };
}

function planSessions({ config, runtime }: BuildContext): SessionFacts | undefined {
  const { policy, idleSeconds, directory } = config.sessions;
  if (policy === 'off' || runtime.nsenter === undefined) return undefined;
  return { policy, idleSeconds, directory, nsenter: runtime.nsenter };
}

/** The rules without their places in the file. */
const describeDrop = ({ patterns, ...rules }: DropRules): unknown => ({
  ...rules,
  patterns: patterns.map(({ text }) => text),
});

/**
 * Digests of everything that a release depends on: when none of them changes, there is nothing to build.
 * @param customise of `readCustomDigest`
 */
export function planInputs(
  context: BuildContext,
  plan: BuildPlan,
  lock: EnvironmentLock,
  baseSha256: string,
  launcher: ReleaseLauncherFacts,
  customise: string | undefined,
): Record<string, string> {
  const { product, config } = context;
  return {
    // Not only what it is made from: a base that was lost and built again has other bytes, which old manifests do not name.
    base: baseSha256,
    ...(customise === undefined ? {} : { customise }),
    drop: digestText(JSON.stringify(describeDrop(plan.environment.drop))),
    condense: digestText(product.version),
    environment: digestText(JSON.stringify(plan.spec.variables)),
    gate: digestText(JSON.stringify([plan.environment.gate, plan.tests])),
    // Two versions of a program may install otherwise; condense's own is the `condense` above.
    ...(context.installer ? { installer: digestText(context.installer.version) } : {}),
    launcher: digestText(JSON.stringify([launcher, product.plannerCode])),
    lock: digestLock(lock),
    module: digestText(
      JSON.stringify([
        product.moduleTemplates,
        config.site,
        config.moduleFamily,
        context.layout.publicScripts,
        context.layout.publicJupyter,
        plan.environment.module,
      ]),
    ),
    spec: digestText(JSON.stringify(plan.spec.dependencies.map((line) => redactUrls(line.text)))),
    // The imports of the gate say which files come first.
    squashfs: digestText(
      JSON.stringify([config.squashfs, config.squashfs.order === 'traced' ? plan.environment.gate.imports : []]),
    ),
  };
}

/** What the manifest says is installed. conda lists what pip added with the build `pypi_0`. */
export function planPackages(lock: EnvironmentLock, wheels: readonly Wheel[]): ReleaseFacts['packages'] {
  return [
    ...lock.packages.map(({ name, version, build, sha256 }) => ({ name, version, build, sha256 })),
    ...wheels.map(({ distribution: { name, version }, sha256 }) => ({
      ...{ name, version, build: 'pypi_0', sha256 },
      source: 'pip' as const,
    })),
  ];
}

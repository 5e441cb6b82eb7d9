// What one build would make, as pure data: the same for the same configuration, spec and product.
import type { EnvironmentSpec } from '../config/environment-spec.ts';
import {
  fullName,
  type CustomRules,
  type DropRules,
  type EnvironmentOptions,
  type SiteConfig,
} from '../config/site-config.ts';
import type { Layout } from '../site/layout.ts';
import { AppError } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';

export interface BuildPlan {
  readonly environment: EnvironmentOptions;
  readonly fullName: string;
  readonly spec: EnvironmentSpec;
  /** As written: names or URLs, highest priority first. */
  readonly channels: readonly string[];
  /** conda's name of the platform. */
  readonly platform: string;
  /** `/opt/conda/analysis3-26.11` */
  readonly condaPrefix: string;
  /** Digest of the tests beside the spec; absent where there are none. */
  readonly tests?: string | undefined;
}

/** @throws AppError ENVIRONMENT_UNKNOWN */
export function planEnvironment(config: SiteConfig, name: string): EnvironmentOptions {
  const environment = config.environments.get(name);
  if (environment) return environment;
  const known = [...config.environments.keys()].join(', ') || 'none';
  throw new AppError(EXIT.usage, {
    code: 'ENVIRONMENT_UNKNOWN',
    message: `there is no environment ${JSON.stringify(name)}; there are: ${known}`,
    at: config.file,
    hint: 'condense config show',
  });
}

export function planBuild(
  config: SiteConfig,
  layout: Pick<Layout, 'condaPrefix'>,
  environment: EnvironmentOptions,
  spec: EnvironmentSpec,
  platform: string,
  tests?: string,
): BuildPlan {
  return {
    environment,
    fullName: fullName(environment),
    spec,
    channels: spec.channels.length > 0 ? spec.channels : config.channels.defaults,
    platform,
    condaPrefix: layout.condaPrefix(fullName(environment)),
    ...(tests === undefined ? {} : { tests }),
  };
}

export interface PlanStep {
  readonly step: string;
  readonly what: string;
  /** What it writes to, a directory with all that is below it. */
  readonly path?: string | undefined;
}

/** What a build would do in order, with every place that it would write to, and publishing after it. */
export function planSteps(
  plan: BuildPlan,
  layout: Layout,
  options: { readonly publish: boolean },
): readonly PlanStep[] {
  const staging = layout.staging(plan.fullName);
  const at = (step: string, path: string, what = path): PlanStep => ({ step, what, path });
  const release = `${layout.releasesOf(plan.fullName)}/<id>`;
  return [
    at('claim', layout.lockFile(plan.fullName)),
    at('base', layout.bases, `${layout.bases}, where it is not there yet`),
    at('node', layout.node(process.versions.node), `${layout.node(process.versions.node)}, where it is not there yet`),
    at('repodata', layout.repodataCache, `${layout.repodataCache}, where there is no lock beside the spec`),
    at('fetch', layout.packageCache),
    at('stage', staging.dir, `${staging.prefix}, seen as ${plan.condaPrefix}`),
    ...(plan.spec.pip.length > 0
      ? [
          at(
            'pip',
            layout.wheelCache,
            `${plan.spec.pip.length} lines, by the environment's own pip; ${layout.wheelCache}`,
          ),
        ]
      : []),
    ...describeCustom(plan.environment.customise).map((what) => ({ step: 'customise', what })),
    ...describeDrop(plan.environment.drop).map((what) => ({ step: 'drop', what })),
    at('pack', staging.image),
    at('release', release),
    {
      step: 'gate',
      what: `imports every top-level module${plan.environment.gate.imports.map((name) => `, ${name}`).join('')}`,
    },
    ...(plan.tests === undefined
      ? []
      : [{ step: 'gate', what: `runs the tests in ${layout.gateTests(plan.spec.file)}` }]),
    at('gate', layout.logs, `${layout.logs}, where it fails`),
    ...(options.publish
      ? [
          at('publish', `${layout.generations}/<number>`),
          at('publish', layout.current),
          at('publish', layout.journal),
          ...layout.publicLinks.map((link) => at('publish', link.path, `${link.path} -> ${link.target}`)),
        ]
      : []),
  ];
}

function describeCustom({ remove, replace, files, hooks }: CustomRules): string[] {
  return [
    ...remove.map((rule) => `without the files of ${rule.package}`),
    ...replace.map((rule) => `links to ${rule.by} in place of ${rule.package}`),
    ...files.map((rule) => `${rule.to} from ${rule.from}`),
    ...hooks.programs.map((rule) => `runs ${rule.file} after ${rule.stage}`),
  ];
}

function describeDrop({ staticLibraries, tests, patterns, keep }: DropRules): string[] {
  const rules = [
    ...(staticLibraries ? ['static libraries'] : []),
    ...(tests ? ['tests'] : []),
    ...patterns.map(({ text }) => text),
  ];
  if (rules.length === 0) return [];
  return [rules.join(', ') + (keep.length > 0 ? `, but not ${keep.join(', ')}` : '')];
}

// What one build would make, as pure data: the same for the same configuration, spec and product.
import type { EnvironmentSpec } from '../config/environment-spec.ts';
import { fullName, type DropRules, type EnvironmentOptions, type SiteConfig } from '../config/site-config.ts';
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
): BuildPlan {
  return {
    environment,
    fullName: fullName(environment),
    spec,
    channels: spec.channels.length > 0 ? spec.channels : config.channels.defaults,
    platform,
    condaPrefix: layout.condaPrefix(fullName(environment)),
  };
}

/** What `--dry-run` prints: every place that the build and the publishing would write to. */
export function describeBuildPlan(plan: BuildPlan, layout: Layout): string[] {
  const staging = layout.staging(plan.fullName);
  return [
    `solve    ${plan.spec.dependencies.length} specs from ${plan.spec.file}`,
    `         channels ${plan.channels.join(', ')} for ${plan.platform}`,
    `fetch    into ${layout.packageCache}`,
    `stage    ${staging.prefix}, seen as ${plan.condaPrefix}`,
    ...(plan.spec.pip.length > 0 ? [`pip      ${plan.spec.pip.length} lines, by the environment's own pip`] : []),
    ...describeDrop(plan.environment.drop).map((what) => `drop     ${what}`),
    `pack     ${staging.image}`,
    `release  ${layout.releasesOf(plan.fullName)}/<id>`,
    `gate     imports ${plan.environment.gateImports.join(', ') || '(none configured)'}`,
    `publish  ${layout.generations}/<number>, then ${layout.current}`,
    ...layout.publicLinks.map((link) => `         ${link.path} -> ${link.target}`),
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

// install_config.yaml: text → SiteConfig, or every problem at once.
import path from 'node:path';
import * as z from 'zod';
import { AppError, type Problem } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import { digestText } from '../system/files.ts';
import { findRuleProblems, type ConfigProbe } from './config-rules.ts';
import { describeIssues, valueAt, type SchemaNode } from './describe-issues.ts';
import type { SpecLine } from './environment-spec.ts';
import type { EnvironmentOptions, OwnEnvironments, SiteConfig } from './site-config.ts';
import { expandMatrix, mergeProblems, type ExpandedSource } from './matrix.ts';
import { writtenConfig, type WrittenConfig } from './written-config.ts';
import { BLOCK_SIZES } from './written-image.ts';
import { parseYaml, type KeyPath, type YamlSource } from './yaml-source.ts';

export type { ConfigProbe };

let schema: SchemaNode | undefined;

/** The JSON schema of what may be written, for editors, messages and documentation. */
export function siteConfigSchema(): SchemaNode {
  // Only when something is wrong or asked for: it takes several milliseconds.
  schema ??= z.toJSONSchema(writtenConfig, { io: 'input' }) as SchemaNode;
  return schema;
}

/**
 * Pure: looks at no file.
 * @param file where the text came from; its directory is what relative paths start from
 * @throws AppError CONFIG_INVALID, exit 3, with every problem
 */
export function parseSiteConfig(text: string, file: string, probe: ConfigProbe): SiteConfig {
  return parseSiteConfigSource(text, file, probe).config;
}

/** The same, with the text it came from, which knows where each value is. */
export function parseSiteConfigSource(
  text: string,
  file: string,
  probe: ConfigProbe,
): { readonly config: SiteConfig; readonly source: YamlSource } {
  const written = parseYaml(text, file);
  if (!written.isReadable) throw new AppError(EXIT.configuration, written.problems);
  const { source, problems: ofMatrix, templates } = expandMatrix(written);
  const result = writtenConfig.safeParse(source.value);
  const schemaProblems = result.success ? [] : describeIssues(result.error.issues, siteConfigSchema(), source);
  const stagingDir = defaultStagingDir(source, probe);
  const problems = mergeProblems(
    [...source.problems, ...ofMatrix, ...schemaProblems, ...findRuleProblems(source, stagingDir)],
    templates,
  );
  if (problems.length > 0) throw new AppError(EXIT.configuration, inOrder(problems));
  // The schema has no complaint that is not among the problems.
  return { config: normalise(writtenConfig.parse(source.value), source, stagingDir, templates), source };
}

/** By line and column, as a person reads the file. */
export function inOrder(problems: readonly Problem[]): readonly Problem[] {
  const place = (problem: Problem): [number, number] => {
    const [, line, column] = /:(\d+):(\d+)$/.exec(problem.at ?? '') ?? [];
    return [Number(line ?? 0), Number(column ?? 0)];
  };
  return problems.toSorted((a, b) => place(a)[0] - place(b)[0] || place(a)[1] - place(b)[1]);
}

/** One directory for each user and site, so that neither two users nor two sites of one user meet in /tmp. */
function defaultStagingDir(source: YamlSource, probe: ConfigProbe): string {
  const prefix = valueAt(source.value, ['prefix']);
  const root = path.resolve(path.dirname(path.resolve(source.file)), typeof prefix === 'string' ? prefix : '');
  return path.join(probe.tmpDir, `condense-${probe.uid}-${digestText(root).slice(0, 8)}`);
}

function normalise(
  written: WrittenConfig,
  source: YamlSource,
  defaultStaging: string,
  templates: ExpandedSource['templates'],
): SiteConfig {
  const configFile = path.resolve(source.file);
  const absolute = (written: string): string => path.resolve(path.dirname(configFile), written);
  const optional = (written: string | undefined): string | undefined =>
    written === undefined ? undefined : absolute(written);
  const linesAt = (pins: readonly string[], at: KeyPath): SpecLine[] =>
    pins.map((text, index) => ({ text: text.trim(), at: source.at([...at, index]) }));
  const sitePins = linesAt(written.pinned, ['pinned']);
  const { squashfs, runtime, installer } = written;
  const environments = Object.entries(written.environments).map(([name, options]): [string, EnvironmentOptions] => [
    name,
    {
      name,
      version: options.version,
      specFile: absolute(options.spec ?? `environments/${name}/environment.yml`),
      ...(templates.has(name) ? { isOfMatrix: true } : {}),
      platforms: options.platforms,
      stable: options.stable,
      unstable: options.unstable,
      protectStable: options.protect_stable ?? written.protect_stable,
      gate: {
        imports: options.gate.imports,
        skip: options.gate.skip,
        preload: options.gate.preload,
        expectedFailures: options.gate.expected_failures,
        help: options.gate.help,
        timeoutMs: options.gate.timeout_seconds * 1000,
        processes: options.gate.processes,
      },
      outsideCommands: options.outside_commands,
      sshHosts: options.ssh_hosts,
      pinned: [...sitePins, ...linesAt(options.pinned, ['environments', name, 'pinned'])],
      customise: {
        remove: Object.entries(options.remove).map(([key, spared]) => ({
          ...{ package: key, spared, at: source.atKey(['environments', name, 'remove', key]) },
        })),
        replace: Object.entries(options.replace).map(([key, by]) => ({
          ...{ package: key, by, at: source.atKey(['environments', name, 'replace', key]) },
        })),
        files: Object.entries(options.files).map(([to, from]) => ({
          ...{ to, from: absolute(from), at: source.atKey(['environments', name, 'files', to]) },
        })),
        hooks: {
          programs: (['stage', 'customise', 'pack'] as const).flatMap((stage) => {
            const file = options.hooks[stage];
            return file === undefined
              ? []
              : [{ stage, file: absolute(file), at: source.at(['environments', name, 'hooks', stage]) }];
          }),
          timeoutMs: options.hooks.timeout_seconds * 1000,
        },
        libraries: options.libraries,
      },
      drop: {
        staticLibraries: options.drop.static_libraries ?? written.drop.static_libraries,
        tests: options.drop.tests ?? written.drop.tests,
        patterns: [
          ...linesAt(written.drop.patterns, ['drop', 'patterns']),
          ...linesAt(options.drop.patterns, ['environments', name, 'drop', 'patterns']),
        ],
        keep: [...written.drop.keep, ...options.drop.keep],
      },
      inherit: {
        drop: options.inherit.drop ?? written.inherit.drop,
        lists: options.inherit.lists ?? written.inherit.lists,
        userSite: options.inherit.user_site ?? written.inherit.user_site,
      },
      module: {
        variables: { ...written.module.variables, ...options.module.variables },
        prerequisites: options.module.prerequisites ?? written.module.prerequisites,
        noticeAfterDays: options.module.notice_after_days ?? written.module.notice_after_days,
        endOfLife: options.module.end_of_life,
        ownEnvironments: normaliseOwn(options.module.own_environments, written.channels.defaults),
      },
    },
  ]);
  return {
    file: configFile,
    site: written.site,
    prefix: absolute(written.prefix),
    adminDir: absolute(written.admin_dir),
    stagingDir: written.staging_dir === undefined ? defaultStaging : absolute(written.staging_dir),
    scriptsDir: written.scripts_dir,
    envsDir: written.envs_dir,
    modulesDir: written.modules_dir,
    jupyterDir: written.jupyter_dir,
    activateDir: written.activate_dir,
    moduleFamily: written.module_family,
    groups: written.groups,
    signing: {
      key: optional(written.signing.key),
      allowedSigners: optional(written.signing.allowed_signers),
      required: written.signing.required,
    },
    permissions: {
      readers: written.permissions.readers,
      acl: written.permissions.acl,
      ownersWrite: written.permissions.owners_write,
    },
    // A bare name is looked up on PATH; anything with a slash is a path.
    runtimeProgram: runtime.program?.includes('/') ? absolute(runtime.program) : runtime.program,
    installerProgram: installer.program?.includes('/') ? absolute(installer.program) : installer.program,
    binds: written.binds,
    sessions: {
      policy: written.sessions.policy,
      idleSeconds: written.sessions.idle_seconds,
      directory: absolute(written.sessions.directory),
    },
    squashfs: {
      compression: squashfs.compression,
      level: squashfs.level ?? defaultLevel(squashfs.compression),
      blockSizeBytes: blockSizeBytes(squashfs.block_size),
      order: squashfs.order,
      processors: squashfs.processors,
      memoryMiB: squashfs.memory_mib,
    },
    channels: {
      defaults: written.channels.defaults,
      alias: written.channels.alias.replace(/\/+$/, ''),
      mirrors: written.channels.mirrors,
      excludeNewer: written.channels.exclude_newer,
    },
    cache: written.cache,
    gc: {
      releases: written.gc.releases,
      generations: written.gc.generations,
      longestJobDays: written.gc.longest_job_days,
      cacheDays: written.gc.cache_days,
      scheduler: written.gc.scheduler,
      pinned: written.gc.pinned,
      venvs: written.gc.venvs,
    },
    scheduler: written.scheduler,
    notify: {
      command: written.notify.command.map((word, at) => (at === 0 && word.includes('/') ? absolute(word) : word)),
      timeoutSeconds: written.notify.timeout_seconds,
    },
    virtualPackages: written.virtual_packages,
    defaultEnvironment: written.default_environment,
    environments: new Map(environments),
  };
}

function normaliseOwn(
  own: WrittenConfig['environments'][string]['module']['own_environments'],
  channels: readonly string[],
): OwnEnvironments | undefined {
  return (
    own && {
      directory: own.directory,
      packageCaches: own.package_caches,
      channels: own.channels ?? channels,
      threads: own.threads,
      pinned: own.pinned,
    }
  );
}

/** zstd 3 packs several times faster than 9 and gave images within a tenth of its size when tried. 9 is mksquashfs's own for gzip. */
function defaultLevel(compression: WrittenConfig['squashfs']['compression']): number | undefined {
  return { zstd: 3, gzip: 9, lz4: undefined, xz: undefined, none: undefined }[compression];
}

/** `4K` is the first, each of the others twice the one before. */
export function blockSizeBytes(size: (typeof BLOCK_SIZES)[number]): number {
  return 4096 * 2 ** BLOCK_SIZES.indexOf(size);
}

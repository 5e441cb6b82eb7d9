// The normalised configuration under the names in which it is written, with where each value came from.
import { Document } from 'yaml';
import { blockSizeBytes } from './parse-site-config.ts';
import type { SiteConfig } from './site-config.ts';
import { BLOCK_SIZES } from './written-image.ts';
import type { YamlSource } from './yaml-source.ts';

export interface ConfigValue {
  /** `['squashfs', 'level']` */
  readonly path: readonly string[];
  /** Text, number, or a list or mapping of texts. */
  readonly value: unknown;
  /** `install_config.yaml:6:14`, or `default`. */
  readonly from: string;
}

/** Every value that is set, in the order of the documentation; credentials in URLs are hidden. */
export function describeSiteConfig(config: SiteConfig, source: YamlSource): readonly ConfigValue[] {
  const blockSize = BLOCK_SIZES.find((size) => blockSizeBytes(size) === config.squashfs.blockSizeBytes);
  // Last, where it is written otherwise: what an environment takes over from the site.
  const values: [path: readonly string[], value: unknown, site?: readonly string[]][] = [
    [['site'], config.site],
    [['prefix'], config.prefix],
    [['admin_dir'], config.adminDir],
    [['staging_dir'], config.stagingDir],
    [['scripts_dir'], config.scriptsDir],
    [['envs_dir'], config.envsDir],
    [['modules_dir'], config.modulesDir],
    [['jupyter_dir'], config.jupyterDir],
    [['activate_dir'], config.activateDir],
    [['module_family'], config.moduleFamily],
    [['groups', 'users'], config.groups.users],
    [['groups', 'owners'], config.groups.owners],
    [['permissions', 'readers'], config.permissions.readers],
    [['permissions', 'acl'], config.permissions.acl],
    [['permissions', 'owners_write'], config.permissions.ownersWrite],
    [['signing', 'key'], config.signing.key],
    [['signing', 'allowed_signers'], config.signing.allowedSigners],
    [['signing', 'required'], config.signing.required],
    [['runtime', 'program'], config.runtimeProgram],
    [['installer', 'program'], config.installerProgram],
    [['binds', 'run'], config.binds.run],
    [['binds', 'build'], config.binds.build],
    [['sessions', 'policy'], config.sessions.policy],
    [['sessions', 'idle_seconds'], config.sessions.idleSeconds],
    [['sessions', 'directory'], config.sessions.directory],
    [['squashfs', 'compression'], config.squashfs.compression],
    [['squashfs', 'level'], config.squashfs.level],
    [['squashfs', 'block_size'], blockSize],
    [['squashfs', 'order'], config.squashfs.order],
    [['squashfs', 'processors'], config.squashfs.processors],
    [['squashfs', 'memory_mib'], config.squashfs.memoryMiB],
    [['channels', 'defaults'], config.channels.defaults.map(withoutCredentials)],
    [['channels', 'alias'], withoutCredentials(config.channels.alias)],
    [
      ['channels', 'mirrors'],
      Object.fromEntries(
        Object.entries(config.channels.mirrors).map(([of, by]) => [withoutCredentials(of), by.map(withoutCredentials)]),
      ),
    ],
    [['channels', 'exclude_newer'], config.channels.excludeNewer],
    [['cache', 'extracted'], config.cache.extracted],
    [['gc', 'releases'], config.gc.releases],
    [['gc', 'generations'], config.gc.generations],
    [['gc', 'longest_job_days'], config.gc.longestJobDays],
    [['gc', 'cache_days'], config.gc.cacheDays],
    [['gc', 'scheduler'], config.gc.scheduler],
    [['gc', 'pinned'], config.gc.pinned],
    [['gc', 'venvs'], config.gc.venvs],
    [['scheduler', 'options'], config.scheduler.options],
    [['scheduler', 'commands'], config.scheduler.commands],
    [['scheduler', 'scratch'], config.scheduler.scratch],
    [['notify', 'command'], config.notify.command],
    [['notify', 'timeout_seconds'], config.notify.timeoutSeconds],
    [['virtual_packages'], config.virtualPackages],
    [['default_environment'], config.defaultEnvironment],
  ];
  for (const environment of config.environments.values()) {
    const at = ['environments', environment.name];
    values.push(
      [[...at, 'version'], environment.version],
      [[...at, 'spec'], environment.specFile],
      [[...at, 'platforms'], environment.platforms],
      [[...at, 'stable'], environment.stable],
      [[...at, 'unstable'], environment.unstable],
      [[...at, 'protect_stable'], environment.protectStable, ['protect_stable']],
      [[...at, 'gate', 'imports'], environment.gate.imports],
      [[...at, 'gate', 'skip'], environment.gate.skip],
      [[...at, 'gate', 'preload'], environment.gate.preload],
      [[...at, 'gate', 'expected_failures'], environment.gate.expectedFailures],
      [[...at, 'gate', 'help'], environment.gate.help],
      [[...at, 'gate', 'timeout_seconds'], environment.gate.timeoutMs / 1000],
      [[...at, 'gate', 'processes'], environment.gate.processes],
      [[...at, 'outside_commands'], environment.outsideCommands],
      [[...at, 'ssh_hosts'], environment.sshHosts],
      [[...at, 'pinned'], environment.pinned.map((pin) => pin.text), ['pinned']],
      [[...at, 'remove'], Object.fromEntries(environment.customise.remove.map((rule) => [rule.package, rule.spared]))],
      [[...at, 'replace'], Object.fromEntries(environment.customise.replace.map((rule) => [rule.package, rule.by]))],
      [[...at, 'files'], Object.fromEntries(environment.customise.files.map((rule) => [rule.to, rule.from]))],
      ...environment.customise.hooks.programs.map(({ stage, file }): [path: readonly string[], value: unknown] => [
        [...at, 'hooks', stage],
        file,
      ]),
      [[...at, 'hooks', 'timeout_seconds'], environment.customise.hooks.timeoutMs / 1000],
      [[...at, 'libraries', 'strict'], environment.customise.libraries.strict],
      [[...at, 'libraries', 'elsewhere'], environment.customise.libraries.elsewhere],
      [[...at, 'drop', 'static_libraries'], environment.drop.staticLibraries, ['drop', 'static_libraries']],
      [[...at, 'drop', 'tests'], environment.drop.tests, ['drop', 'tests']],
      [[...at, 'drop', 'patterns'], environment.drop.patterns.map((line) => line.text), ['drop', 'patterns']],
      [[...at, 'drop', 'keep'], environment.drop.keep, ['drop', 'keep']],
      [[...at, 'inherit', 'drop'], environment.inherit.drop, ['inherit', 'drop']],
      [[...at, 'inherit', 'lists'], environment.inherit.lists, ['inherit', 'lists']],
      [[...at, 'inherit', 'user_site'], environment.inherit.userSite, ['inherit', 'user_site']],
      [[...at, 'module', 'variables'], environment.module.variables, ['module', 'variables']],
      [[...at, 'module', 'prerequisites'], environment.module.prerequisites, ['module', 'prerequisites']],
      [[...at, 'module', 'notice_after_days'], environment.module.noticeAfterDays, ['module', 'notice_after_days']],
      [[...at, 'module', 'end_of_life'], environment.module.endOfLife],
      [[...at, 'module', 'own_environments', 'directory'], environment.module.ownEnvironments?.directory],
      [[...at, 'module', 'own_environments', 'package_caches'], environment.module.ownEnvironments?.packageCaches],
      [
        [...at, 'module', 'own_environments', 'channels'],
        environment.module.ownEnvironments?.channels,
        ['channels', 'defaults'],
      ],
      [[...at, 'module', 'own_environments', 'threads'], environment.module.ownEnvironments?.threads],
      [[...at, 'module', 'own_environments', 'pinned'], environment.module.ownEnvironments?.pinned],
    );
  }
  return values
    .filter(([, value]) => value !== undefined)
    .map(([path, value, site]) => {
      const written = [path, ...(site ? [site] : [])].find((one) => source.has(one));
      return { path, value, from: written ? source.at(written) : 'default' };
    });
}

/** YAML that says the same when it is read again (but for hidden credentials), each value with its origin as a comment. */
export function renderSiteConfig(values: readonly ConfigValue[]): string {
  const document = new Document({});
  for (const { path, value, from } of values) {
    const node = document.createNode(value, { flow: true });
    node.comment = ` ${from}`;
    document.setIn(path, node);
  }
  return document.toString({ lineWidth: 0, singleQuote: true });
}

/** `https://user:secret@host` and conda's `/t/<token>/`. */
export function withoutCredentials(url: string): string {
  return url.replace(/^(\w+:\/\/)[^/@]*@/, '$1***@').replace(/\/t\/[^/]+/, '/t/***');
}

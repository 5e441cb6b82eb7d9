// A layout below a given prefix, with the default directory names.
import path from 'node:path';
import type { SiteConfig } from '../../src/config/site-config.ts';
import { Layout } from '../../src/site/layout.ts';

export function makeConfig(prefix: string, changes: Partial<SiteConfig> = {}): SiteConfig {
  return {
    file: path.join(prefix, 'install_config.yaml'),
    site: 'test',
    prefix,
    adminDir: path.join(prefix, 'admin'),
    stagingDir: path.join(prefix, 'staging'),
    scriptsDir: 'apps/conda_scripts',
    envsDir: 'apps/conda_envs',
    jupyterDir: 'apps/conda_jupyter',
    activateDir: 'apps/conda/envs',
    modulesDir: 'modules',
    moduleFamily: 'conda',
    groups: {},
    permissions: { readers: [], acl: 'require', ownersWrite: false },
    signing: { required: false },
    binds: { run: ['/etc', '/usr'], build: [] },
    sessions: { policy: 'off', idleSeconds: 600, directory: path.join(prefix, 'tmp') },
    squashfs: { compression: 'zstd', level: 3, blockSizeBytes: 131072, order: 'none' },
    channels: { defaults: ['conda-forge'], alias: 'https://channels.example', mirrors: {} },
    cache: { extracted: false },
    gc: {
      ...{ releases: 3, generations: 10, longestJobDays: 14, cacheDays: 90, scheduler: 'none' as const },
      ...{ pinned: [], venvs: [] },
    },
    scheduler: { options: [], commands: {} },
    notify: { command: [], timeoutSeconds: 60 },
    virtualPackages: {},
    environments: new Map(),
    ...changes,
  };
}

export function makeLayout(prefix: string): Layout {
  return new Layout(makeConfig(prefix), path.resolve(import.meta.dirname, '../..'));
}

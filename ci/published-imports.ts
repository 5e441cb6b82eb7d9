// The release that measurements of imports are made with.
import path from 'node:path';
import { readSiteConfig } from '../src/config/read-config.ts';
import { fullName, type EnvironmentOptions, type SiteConfig } from '../src/config/site-config.ts';
import { readCurrentGeneration } from '../src/release/site-state.ts';
import { Layout } from '../src/site/layout.ts';

const root = path.resolve(import.meta.dirname, '..');

/** The first environment of a configuration that has gate imports, and its live release. @throws Error where there is none */
export async function readPublishedImports(file = path.join(root, 'install_config.yaml')): Promise<{
  readonly config: SiteConfig;
  readonly layout: Layout;
  readonly environment: EnvironmentOptions;
  /** The full name. */
  readonly name: string;
  readonly id: string;
}> {
  const config = await readSiteConfig(path.resolve(file));
  const layout = new Layout(config, root);
  const environment = [...config.environments.values()].find((one) => one.gate.imports.length > 0);
  if (!environment) throw new Error(`${config.file}: no environment has gate imports`);
  const name = fullName(environment);
  const id = (await readCurrentGeneration(layout))?.versions.get(name);
  if (id === undefined) throw new Error(`${name} is not published: npm run quickstart publishes something`);
  return { config, layout, environment, name, id };
}

// What every command starts from: the configuration, the layout, the output, and a signal that ends the work.
import path from 'node:path';
import { readSiteConfig } from '../config/read-config.ts';
import type { SiteConfig } from '../config/site-config.ts';
import { checkDirectories } from '../site/directories.ts';
import { readInstallerProgram } from '../site/installer-program.ts';
import { Layout } from '../site/layout.ts';
import { checkBuilder, checkOwner, readAccessPolicy } from '../site/permissions.ts';
import { readProduct } from '../site/product.ts';
import { checkPrograms } from '../site/programs.ts';
import { readRuntime } from '../site/runtime.ts';
import { useNetworkSettings } from '../system/network.ts';
import type { BuildContext } from '../build/build-context.ts';
import type { Output } from './output.ts';

export interface GlobalOptions {
  readonly config: string;
  readonly json?: boolean;
  readonly debug?: boolean;
}

export interface Session {
  readonly config: SiteConfig;
  readonly layout: Layout;
  readonly output: Output;
  readonly signal: AbortSignal;
}

/** condense itself is one directory above its bundle (dist/) and two above its sources (src/cli/). */
function productDirectory(): string {
  const here = import.meta.dirname;
  return path.resolve(here, path.basename(here) === 'cli' ? '../..' : '..');
}

export async function openSession(options: GlobalOptions, output: Output, signal: AbortSignal): Promise<Session> {
  const config = await readSiteConfig(path.resolve(options.config));
  return { config, layout: new Layout(config, productDirectory()), output, signal };
}

/** What building needs besides: probed only by the commands that build. */
export async function openBuild(session: Session, offline = false): Promise<BuildContext> {
  const { config, layout, output, signal } = session;
  await checkOwner(config, layout);
  await checkBuilder(config);
  await useNetworkSettings(process.env);
  await checkPrograms();
  await checkDirectories(config);
  return {
    config,
    layout,
    product: await readProduct(layout),
    runtime: await readRuntime(config),
    installer: await readInstallerProgram(config),
    access: await readAccessPolicy(config, layout.store, output.report),
    report: output.report,
    signal,
    offline,
  };
}

// Whether the host has the commands that environments leave to it.
import type { SiteConfig } from '../config/site-config.ts';
import { findProgram } from '../system/find-program.ts';
import type { Finding } from './finding.ts';
import type { Layout } from './layout.ts';

/** Those that are not on PATH here. The farms of condense do not count: their links would lead back to the host. */
export async function findMissingCommands(
  commands: readonly string[],
  layout: Pick<Layout, 'publicScripts' | 'store'>,
  searchPath = process.env['PATH'] ?? '',
): Promise<string[]> {
  const farms = [layout.publicScripts, layout.store];
  const dirs = searchPath.split(':').filter((dir) => !farms.some((farm) => dir.startsWith(`${farm}/`)));
  const missing: string[] = [];
  for (const name of commands) if ((await findProgram(name, dirs.join(':'))) === undefined) missing.push(name);
  return missing;
}

/** A warning for each environment: other nodes may have what this one has not. */
export async function probeOutsideCommands(config: SiteConfig, layout: Layout): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const { name, outsideCommands } of config.environments.values()) {
    const missing = await findMissingCommands(outsideCommands, layout);
    if (missing.length > 0)
      findings.push({ name: `outside_commands of ${name}`, status: 'warning', ...describe(missing) });
  }
  return findings;
}

const describe = (missing: readonly string[]): Pick<Finding, 'found' | 'fix'> => ({
  found: `not on PATH of this machine: ${missing.join(', ')}`,
  fix: `command -v ${missing.join(' ')}   (on a node where users run them)`,
});

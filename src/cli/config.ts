// `condense config`: is the configuration right, what does it say, what may it say.
import type { Command } from 'commander';
import { describeSiteConfig, renderSiteConfig } from '../config/describe-site-config.ts';
import { siteConfigSchema } from '../config/parse-site-config.ts';
import { readEnvironmentSpec, readSiteConfigSource } from '../config/read-config.ts';
import type { EnvironmentSpec } from '../config/environment-spec.ts';
import { fullName, type SiteConfig } from '../config/site-config.ts';
import { readPipSection } from '../pip/pip-section.ts';
import { AppError, type Problem } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import type { Output } from './output.ts';

/**
 * @param command `config` of the whole command line, whose ways with wrong usage its subcommands take over
 * @param outputOf the output that belongs to the options of a command line; --config and --json are global options
 */
export function addConfigCommands(command: Command, outputOf: (command: Command) => Pick<Output, 'result'>): void {
  command
    .command('check')
    .description('check install_config.yaml and the environment.yml of every environment; lists every problem')
    .argument('[file]', 'the configuration (default: that of --config)')
    .addHelpText('after', '\nExit status: 0 all is well, 3 there are problems.\nExample: condense config check')
    .action(async (file: string | undefined, _options, self: Command) => {
      await runConfigCheck(file ?? configFile(self), outputOf(self));
    });
  command
    .command('show')
    .description('print the configuration with every default, and where each value comes from')
    .addHelpText('after', '\nExit status: 0 done, 3 there are problems.\nExample: condense config show --json')
    .action(async (_options, self: Command) => {
      await runConfigShow(configFile(self), outputOf(self));
    });
  command
    .command('schema')
    .description('print the JSON schema of install_config.yaml, for editors')
    .addHelpText('after', '\nExit status: 0 done.\nExample: condense config schema > install_config.schema.json')
    .action((_options, self: Command) => {
      const schema = siteConfigSchema();
      outputOf(self).result({ schema }, [JSON.stringify(schema, null, 2)]);
    });
}

const configFile = (command: Command): string =>
  command.optsWithGlobals<{ config?: string }>().config ?? 'install_config.yaml';

/** @throws AppError with the problems of every file */
async function runConfigCheck(file: string, output: Pick<Output, 'result'>): Promise<void> {
  const found = await checkConfig(file);
  output.result(found, describeCheck(found));
}

/** @throws AppError when the configuration has problems */
async function runConfigShow(file: string, output: Pick<Output, 'result'>): Promise<void> {
  const { config, source } = await readSiteConfigSource(file);
  const values = describeSiteConfig(config, source);
  output.result({ file: config.file, values }, renderSiteConfig(values).trimEnd().split('\n'));
}

interface CheckedConfig {
  readonly file: string;
  readonly site: string;
  readonly prefix: string;
  readonly environments: readonly {
    readonly fullName: string;
    readonly spec: string;
    readonly packages: number;
    readonly pipLines: number;
    readonly channels: readonly string[];
    readonly notes: EnvironmentSpec['notes'];
  }[];
}

async function checkConfig(file: string): Promise<CheckedConfig> {
  const { config } = await readSiteConfigSource(file);
  const specs = await readSpecs(config);
  return {
    file,
    site: config.site,
    prefix: config.prefix,
    environments: specs.map(([name, spec]) => ({
      fullName: name,
      spec: spec.file,
      packages: spec.dependencies.length,
      pipLines: spec.pip.length,
      channels: spec.channels.length > 0 ? spec.channels : config.channels.defaults,
      notes: spec.notes,
    })),
  };
}

/** The problems of all files are thrown together. */
async function readSpecs(config: SiteConfig): Promise<(readonly [fullName: string, spec: EnvironmentSpec])[]> {
  const specs: (readonly [string, EnvironmentSpec])[] = [];
  const problems: Problem[] = [];
  for (const environment of config.environments.values()) {
    try {
      const spec = await readEnvironmentSpec(environment.specFile);
      await readPipSection(spec.pip, spec.file);
      specs.push([fullName(environment), spec]);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      problems.push(...error.problems);
    }
  }
  if (problems.length > 0) throw new AppError(EXIT.configuration, problems);
  return specs;
}

function describeCheck(found: CheckedConfig): string[] {
  const lines = [`${found.file} is valid: site ${found.site}, prefix ${found.prefix}`];
  for (const { fullName, spec, packages, pipLines, channels, notes } of found.environments) {
    const pip = pipLines > 0 ? ` and ${pipLines} for pip` : '';
    lines.push(
      `${fullName}: ${packages} ${packages === 1 ? 'package' : 'packages'}${pip} from ${channels.join(', ')} (${spec})`,
    );
    for (const note of notes) lines.push(`  note  ${note.at}  ${note.text}`);
  }
  if (found.environments.length === 0) lines.push('no environments yet');
  return lines;
}

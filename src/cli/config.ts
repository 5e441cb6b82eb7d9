// `condense config`: is the configuration right, what does it say, what may it say.
import { Command } from 'commander';
import { describeSiteConfig, renderSiteConfig } from '../config/describe-site-config.ts';
import { siteConfigSchema } from '../config/parse-site-config.ts';
import { readEnvironmentSpec, readSiteConfigSource } from '../config/read-config.ts';
import type { EnvironmentSpec } from '../config/environment-spec.ts';
import { fullName, type SiteConfig } from '../config/site-config.ts';
import { AppError, type Problem } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';

/** @param write takes the result, for stdout. Problems are thrown. */
export function configCommand(write: (text: string) => void): Command {
  const command = new Command('config').description('check and show the configuration');
  command
    .command('check')
    .description('check install_config.yaml and the environment.yml of every environment; lists every problem')
    .argument('[file]', 'the configuration (default: that of --config)')
    .option('--json', 'print the result as JSON')
    .addHelpText('after', '\nExit status: 0 all is well, 3 there are problems.\nExample: condense config check')
    .action(async (file: string | undefined, _options, self: Command) => {
      const options = self.optsWithGlobals<GlobalOptions>();
      const found = await checkConfig(file ?? configFile(options));
      write(options.json ? jsonLine(found) : renderCheck(found));
    });
  command
    .command('show')
    .description('print the configuration with every default, and where each value comes from')
    .option('--json', 'print the result as JSON')
    .addHelpText('after', '\nExit status: 0 done, 3 there are problems.\nExample: condense config show --json')
    .action(async (_options, self: Command) => {
      const options = self.optsWithGlobals<GlobalOptions>();
      const { config, source } = await readSiteConfigSource(configFile(options));
      const values = describeSiteConfig(config, source);
      write(options.json ? jsonLine({ file: config.file, values }) : renderSiteConfig(values));
    });
  command
    .command('schema')
    .description('print the JSON schema of install_config.yaml, for editors')
    .addHelpText('after', '\nExit status: 0 done.\nExample: condense config schema > install_config.schema.json')
    .action(() => {
      write(`${JSON.stringify(siteConfigSchema(), null, 2)}\n`);
    });
  return command;
}

interface GlobalOptions {
  readonly config?: string;
  readonly json?: boolean;
}

const configFile = (options: GlobalOptions): string => options.config ?? 'install_config.yaml';
const jsonLine = (result: object): string => `${JSON.stringify({ v: 1, type: 'result', ...result })}\n`;

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
      specs.push([fullName(environment), await readEnvironmentSpec(environment.specFile)]);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      problems.push(...error.problems);
    }
  }
  if (problems.length > 0) throw new AppError(EXIT.configuration, problems);
  return specs;
}

function renderCheck(found: CheckedConfig): string {
  const lines = [`${found.file} is valid: site ${found.site}, prefix ${found.prefix}`];
  for (const { fullName, spec, packages, pipLines, channels, notes } of found.environments) {
    const pip = pipLines > 0 ? ` and ${pipLines} for pip` : '';
    lines.push(`${fullName}: ${packages} packages${pip} from ${channels.join(', ')} (${spec})`);
    for (const note of notes) lines.push(`  note  ${note.at}  ${note.text}`);
  }
  if (found.environments.length === 0) lines.push('no environments yet');
  return `${lines.join('\n')}\n`;
}

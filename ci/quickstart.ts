// `npm run quickstart`: builds and publishes a real analysis3 into ./site, then does what a user would, as an ordinary user.
import { chmod, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { execa } from 'execa';
import { isMap, parseDocument } from 'yaml';
import { readSiteConfig } from '../src/config/read-config.ts';
import { Layout } from '../src/site/layout.ts';
import { ensureTestChannel } from '../test/channel/make-channel.ts';
import { showProgress } from '../test/channel/show-progress.ts';
import { makeHome, runAsOrdinaryUser } from './ordinary-user.ts';

const root = path.resolve(import.meta.dirname, '..');
const condense = path.join(root, 'dist/condense.mjs');
const name = 'analysis3';

function say(text: string): void {
  process.stderr.write(`quickstart  ${text}\n`);
}

class QuickstartError extends Error {}

/** Other users must be able to walk to the site: not so below a home directory with mode 0700. */
async function checkReachable(dir: string): Promise<void> {
  for (let at = dir; at !== path.dirname(at); at = path.dirname(at)) {
    if (((await stat(at)).mode & 0o001) === 0) {
      throw new QuickstartError(
        `other users cannot enter ${at}\nhint   chmod o+x ${at}, or clone to a directory that they can enter, e.g. /srv`,
      );
    }
  }
}

async function answersCondaForge(alias: string): Promise<boolean> {
  try {
    const answer = await fetch(`${alias}/conda-forge/noarch/repodata.json.zst`, {
      method: 'HEAD',
      signal: AbortSignal.timeout(10_000),
    });
    return answer.ok;
  } catch {
    return false; // no answer is the answer
  }
}

/** The shipped configuration with the channels of its environment replaced, in the admin directory. */
async function writeConfigFor(channel: string): Promise<string> {
  const dir = path.join(root, 'site-admin/quickstart');
  await rm(dir, { recursive: true, force: true });
  await mkdir(dir, { recursive: true });
  const spec = parseDocument(await readFile(path.join(root, 'environments', name, 'environment.yml'), 'utf8'));
  spec.set('channels', [channel]);
  await writeFile(path.join(dir, 'environment.yml'), String(spec));
  const config = parseDocument(await readFile(path.join(root, 'install_config.yaml'), 'utf8'));
  config.set('prefix', path.join(root, 'site'));
  config.set('admin_dir', path.join(root, 'site-admin'));
  const environment = config.getIn(['environments', name]);
  if (!isMap(environment)) throw new Error(`install_config.yaml has no environment ${name}`);
  environment.set('spec', path.join(dir, 'environment.yml'));
  // Debian's pydevd has it, conda-forge's does not: it is for Google's App Engine alone.
  const skip = { pydev_app_engine_debug_startup: { reason: 'for App Engine only', until: '2099-12-31' } };
  environment.setIn(['gate', 'skip'], skip);
  const file = path.join(dir, 'install_config.yaml');
  await writeFile(file, String(config));
  return file;
}

interface Trial {
  readonly title: string;
  /** What a user would type. */
  readonly text: string;
  readonly command: readonly string[];
}

async function planTrials(layout: Layout, home: string): Promise<Trial[]> {
  const python =
    'import sys, xarray, netCDF4, matplotlib, scipy; print("xarray", xarray.__version__, "in", sys.prefix)';
  const script = path.join(home, 'climate.py');
  await writeFile(script, `#!${layout.publicFarm(name)}/python3\n${python}\n`);
  await chmod(script, 0o755);
  const load = `module use ${layout.publicModuleRoot}\nmodule load ${layout.moduleFamily}/${name}\npython3 -c '${python}'`;
  const launcher = layout.publicLauncher(name);
  return [
    { title: 'load the module', text: load, command: ['bash', '-c', `. /etc/profile.d/modules.sh\nset -e\n${load}`] },
    { title: 'a script with our shebang', text: `#!${layout.publicFarm(name)}/python3`, command: [script] },
    {
      title: 'a shell inside',
      text: launcher,
      command: [launcher, 'bash', '-c', `command -v bash; ls -d /opt/conda/${name}-*`],
    },
  ];
}

async function main(): Promise<void> {
  await checkReachable(root);
  let config = path.join(root, 'install_config.yaml');
  const { channels } = await readSiteConfig(config);
  if (!(await answersCondaForge(channels.alias))) {
    say('conda-forge does not answer from here: using the test channel, made from the packages of this distribution');
    const { dir } = await ensureTestChannel({ report: showProgress(process.stderr) });
    config = await writeConfigFor(pathToFileURL(dir).href);
  } else {
    say('using conda-forge');
  }
  await execa(process.execPath, [condense, '--config', config, 'install', name], { stdio: 'inherit' });

  const home = await makeHome();
  try {
    for (const trial of await planTrials(new Layout(await readSiteConfig(config), root), home)) {
      const result = await runAsOrdinaryUser(home, trial.command);
      if (result.exitCode !== 0) {
        throw new QuickstartError(
          `${trial.title}: exit code ${result.exitCode ?? result.signal ?? '?'}\n${result.stderr}`,
        );
      }
      process.stdout.write(
        `\n# ${trial.title} (done just now, as an ordinary user)\n${trial.text}\n  -> ${result.stdout.replaceAll('\n', '\n     ')}\n`,
      );
    }
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}

try {
  await main();
} catch (error) {
  if (!(error instanceof QuickstartError) && !(error instanceof Error && 'exitCode' in error)) throw error;
  process.stderr.write(`error  ${error.message}\n`);
  process.exitCode = 1;
}

// A complete site in a temp directory, and the built command line to run on it.
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { execa } from 'execa';

/** The built command line. */
export const condense = path.resolve(import.meta.dirname, '../../dist/condense.mjs');

export interface Ran {
  readonly exitCode: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

export class TestSite {
  readonly dir: string;

  /** Other users must be able to enter it, as they are a real site. */
  static async make(): Promise<TestSite> {
    const dir = await mkdtemp(path.join(os.tmpdir(), 'condense-site-'));
    await chmod(dir, 0o755);
    await mkdir(path.join(dir, 'tmp'));
    await chmod(path.join(dir, 'tmp'), 0o1777);
    return new TestSite(dir);
  }

  private constructor(dir: string) {
    this.dir = dir;
  }

  get configFile(): string {
    return path.join(this.dir, 'install_config.yaml');
  }
  get prefix(): string {
    return path.join(this.dir, 'site');
  }
  get modules(): string {
    return path.join(this.prefix, 'modules');
  }
  get admin(): string {
    return path.join(this.dir, 'admin');
  }
  /** `<prefix>/apps/conda_scripts/<name>.d/<rest>` */
  scripts(name: string, rest = ''): string {
    return path.join(this.prefix, 'apps/conda_scripts', `${name}.d`, rest);
  }

  /** @param environments the text below `environments:`, two blanks deep */
  async writeConfig(environments: string, more = ''): Promise<void> {
    await writeFile(
      this.configFile,
      `site: test\nprefix: ./site\nadmin_dir: ./admin\nstaging_dir: ./staging\n` +
        `sessions: { directory: ./tmp, idle_seconds: 2 }\n${more}environments:\n${environments}`,
    );
  }

  async writeSpec(
    name: string,
    channels: readonly string[],
    dependencies: readonly string[],
    more = '',
  ): Promise<void> {
    const dir = path.join(this.dir, 'environments', name);
    await mkdir(dir, { recursive: true });
    const list = (items: readonly string[]): string => items.map((item) => `  - ${item}\n`).join('');
    await writeFile(
      path.join(dir, 'environment.yml'),
      `name: ${name}\nchannels:\n${list(channels)}dependencies:\n${list(dependencies)}${more}`,
    );
  }

  /** Starts `condense`, with its own configuration and an environment without anything of ours. */
  start(
    args: readonly string[],
    env: Readonly<Record<string, string>> = {},
    options: { readonly detached?: boolean } = {},
  ) {
    return execa(process.execPath, [condense, '--config', this.configFile, ...args], {
      cwd: this.dir,
      reject: false,
      timeout: 600_000,
      extendEnv: false,
      ...options,
      env: { PATH: process.env['PATH'] ?? '', HOME: this.dir, LANG: 'C.UTF-8', ...env },
    });
  }

  async condense(...args: string[]): Promise<Ran> {
    const { exitCode, stdout, stderr } = await this.start(args);
    return { exitCode, stdout, stderr };
  }

  /** As `condense`, for a step that has to succeed before the test can go on. */
  async condenseOk(...args: string[]): Promise<string> {
    const ran = await this.condense(...args);
    if (ran.exitCode !== 0)
      throw new Error(`condense ${args.join(' ')} exited ${ran.exitCode ?? '?'}:\n${ran.stderr}\n${ran.stdout}`);
    return ran.stdout;
  }

  /** The live release of a version, as `condense list` says. */
  async liveRelease(fullName: string): Promise<string | undefined> {
    const answer = JSON.parse(await this.condenseOk('--json', 'list')) as {
      releases: { environment: string; release: string }[];
    };
    return answer.releases.find((row) => row.environment === fullName)?.release;
  }

  async remove(): Promise<void> {
    await rm(this.dir, { recursive: true, force: true });
  }
}

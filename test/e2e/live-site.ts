// A site with a live release of `hello`, and the question whether something that went wrong has harmed it.
import { lstat, mkdir, readdir, readlink, rm } from 'node:fs/promises';
import path from 'node:path';
import { expect } from 'vitest';
import { makeHome, runAsOrdinaryUser } from '../../ci/ordinary-user.ts';
import { writeHelloChannel } from './hello-channel.ts';
import { TestSite, type Ran } from './test-site.ts';

export const GREETING = 'hello 1.0 from /opt/conda/a-1';

export class LiveSite {
  readonly site: TestSite;
  readonly channel: string;
  /** Of the ordinary user. */
  readonly home: string;

  /** Version 1 of the environment `a` is live with hello 1.0; `b` is configured with the same. */
  static async make(): Promise<LiveSite> {
    const site = await TestSite.make();
    const live = new LiveSite(site, await writeHelloChannel(site.dir), await makeHome());
    await live.writeSpecs();
    await site.condenseOk('install', 'a');
    return live;
  }

  private constructor(site: TestSite, channel: string, home: string) {
    this.site = site;
    this.channel = channel;
    this.home = home;
  }

  /** The configuration and the specs as they were when `a` was installed. */
  async writeSpecs(): Promise<void> {
    await this.site.writeConfig(`  a: { version: '1', stable: '1' }\n  b: { version: '1' }\n`);
    await this.site.writeSpec('a', [this.channel], ['hello=1.0']);
    await this.site.writeSpec('b', [this.channel], ['hello=1.0']);
  }

  /** A channel of its own directory below the site's, whose packages no cache has yet. */
  async makeChannel(name: string, versions: readonly string[]): Promise<{ url: string; dir: string }> {
    const parent = path.join(this.site.dir, name);
    await mkdir(parent);
    return { url: await writeHelloChannel(parent, versions), dir: path.join(parent, 'channel') };
  }

  /** What an ordinary user's command prints, or how it fails. */
  async runHello(): Promise<string> {
    const ran = await runAsOrdinaryUser(this.home, [this.site.scripts('a', 'bin/hello')]);
    return ran.exitCode === 0 ? ran.stdout : `exit ${ran.exitCode ?? '?'}: ${ran.stderr}`;
  }

  /** Every path below the prefix with what it holds: equal before and after means that nobody can see a difference. */
  async readPrefix(): Promise<string[]> {
    return await readTree(this.site.prefix);
  }

  /** What no run may leave behind, however it ended: scratch, locks, half-made and ungated releases, temporary names. */
  async readLeftovers(): Promise<string[]> {
    const { site } = this;
    const scratch = [
      ...(await readTree(path.join(site.dir, 'staging'))),
      ...(await readTree(path.join(site.admin, 'locks'))),
    ];
    const unfinished = [...(await this.readPrefix()), ...(await readTree(path.join(site.admin, 'logs')))].filter(
      (line) => /\.tmp\b|\.incoming-/.test(line),
    );
    return [...scratch, ...unfinished, ...(await readUngated(path.join(site.prefix, 'apps/condense/releases')))];
  }

  /** Runs condense, which must fail as told, and leave everything as it was. */
  async expectFailure(
    args: readonly string[],
    expected: { readonly exit: number; readonly says: readonly (string | RegExp)[] },
    env: Readonly<Record<string, string>> = {},
  ): Promise<Ran> {
    const before = await this.readPrefix();
    const { exitCode, stdout, stderr } = await this.site.start(args, env);
    await this.expectUnharmed({ exitCode, stdout, stderr }, expected, before);
    return { exitCode, stdout, stderr };
  }

  /** That a run ended as told, and that everything is as it was before it. */
  async expectUnharmed(
    ran: Ran,
    expected: { readonly exit: number; readonly says: readonly (string | RegExp)[] },
    before: readonly string[],
  ): Promise<void> {
    const said = `${ran.stdout}\n${ran.stderr}`;
    for (const words of expected.says) {
      if (typeof words === 'string') expect(said).toContain(words);
      else expect(said).toMatch(words);
    }
    expect(ran.exitCode, said).toBe(expected.exit);
    expect(said).not.toMatch(/internal error|INTERNAL|\n {4}at |\u001b/);
    expect(await this.readPrefix()).toEqual(before);
    expect(await this.readLeftovers()).toEqual([]);
    expect(await this.runHello()).toBe(GREETING);
  }

  async remove(): Promise<void> {
    await this.site.remove();
    await rm(this.home, { recursive: true, force: true });
  }
}

/** `path -> target` of links, `path size time` of files, `path/` of directories, sorted; nothing where there is no such directory. */
async function readTree(root: string): Promise<string[]> {
  const names = await readdir(root, { recursive: true }).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  });
  const lines = names.map(async (name) => {
    const file = path.join(root, name);
    const at = await lstat(file);
    if (at.isSymbolicLink()) return `${name} -> ${await readlink(file)}`;
    return at.isDirectory() ? `${name}/` : `${name} ${at.size} ${at.mtimeMs}`;
  });
  return (await Promise.all(lines)).sort();
}

async function readUngated(releases: string): Promise<string[]> {
  const files = new Set(await readdir(releases, { recursive: true }));
  return [...files].filter((name) => /^[^/]+\/[^/]+$/.test(name) && !files.has(`${name}/gate.xml`));
}

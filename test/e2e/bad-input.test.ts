// What a person gets wrong, or finds broken: a clear error, and nothing lost of what is live.
import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, open, readdir, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { execa } from 'execa';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { asOrdinaryUser } from '../../ci/ordinary-user.ts';
import { findProgram } from '../../src/system/find-program.ts';
import { writeCondaPackage, type CondaPackage } from '../channel/conda-package.ts';
import { writeRepodata } from '../channel/write-repodata.ts';
import { freePort } from './daemons.ts';
import { GREETING, LiveSite } from './live-site.ts';
import { condense, type Ran, type TestSite } from './test-site.ts';

let live: LiveSite;
let site: TestSite;
beforeAll(async () => {
  live = await LiveSite.make();
  ({ site } = live);
});
afterEach(async () => {
  await live.writeSpecs();
});
afterAll(async () => {
  await live.remove();
});

const specFile = (): string => path.join(site.dir, 'environments/a/environment.yml');

describe('the configuration', () => {
  it('is refused where it is not YAML, at file, line and column', async () => {
    await writeFile(site.configFile, 'site: test\nprefix: [./site\n');
    await live.expectFailure(['install', 'a'], {
      exit: 3,
      says: [/install_config\.yaml:\d+:\d+ {2}not valid YAML/, 'CONFIG_INVALID'],
    });
  });

  it('is refused with all of its problems at once: types, an unquoted version, an unknown key', async () => {
    await site.writeConfig(`  a: { version: 22.10, stabel: '1' }\n`, 'module_family: [conda]\nprefx: ./site\n');
    await live.expectFailure(['install', 'a'], {
      exit: 3,
      says: [
        /install_config\.yaml:6:16 .*module_family.*text/,
        /install_config\.yaml:7:1 .*prefx/,
        'prefix',
        /install_config\.yaml:9:17 .*22\.10/,
        `'22.10'`,
        /install_config\.yaml:9:24 .*stabel/,
        'stable',
      ],
    });
  });

  it('names an environment.yml that is not YAML, and what in one has the wrong type', async () => {
    await writeFile(specFile(), 'name: a\ndependencies: [hello\n');
    await live.expectFailure(['install', 'a'], {
      exit: 3,
      says: [/a\/environment\.yml:\d+:\d+ {2}not valid YAML/, 'CONFIG_INVALID'],
    });
    await writeFile(specFile(), 'name: a\nchannel: [x]\ndependencies: hello\n');
    await live.expectFailure(['install', 'a'], {
      exit: 3,
      says: [/environment\.yml:2:1 .*channel/, 'channels', /environment\.yml:3:15 .*dependencies/, 'list'],
    });
  });

  it('is refused with a prefix that no #! line can express, and says why', async () => {
    await writeFile(
      site.configFile,
      `site: test\nprefix: ./my site\nadmin_dir: ./admin\nenvironments: { a: { version: '1' } }\n`,
    );
    await live.expectFailure(['install', 'a'], {
      exit: 3,
      says: [/install_config\.yaml:2:9 .*my site/, /white space|blank|space/],
    });
  });

  it('is refused with a group that this machine does not have', async () => {
    await site.writeConfig(`  a: { version: '1' }\n`, 'groups: { users: no-such-group }\n');
    await live.expectFailure(['install', 'a'], {
      exit: 4,
      says: ['GROUP_MISSING', 'no-such-group', 'install_config.yaml', 'groupadd no-such-group'],
    });
  });
});

describe('the command line', () => {
  it.each([
    { args: ['install', 'nope'], says: ['ENVIRONMENT_UNKNOWN', '"nope"', 'there are: a, b'] },
    { args: ['rollback', 'nope'], says: ['ENVIRONMENT_UNKNOWN', '"nope"', 'there are: a, b'] },
    { args: [], says: ['Usage: condense'] },
    { args: ['install'], says: ['no environment was named', 'condense install <environment>'] },
    { args: ['frobnicate'], says: [`unknown command 'frobnicate'`, 'condense --help'] },
    { args: ['config', 'frobnicate'], says: [`unknown command 'frobnicate'`] },
    { args: ['config', 'check', '--strict'], says: [`unknown option '--strict'`] },
    { args: ['list', '--relases'], says: [`unknown option '--relases'`] },
  ])('exits 2 for: condense $args', async ({ args, says }) => {
    await live.expectFailure(args, { exit: 2, says });
  });

  it('prints nothing but JSON lines on stdout with --json, the error last', async () => {
    const errorOf = async (args: string[], exit: number): Promise<{ code: string }[]> => {
      const { stdout } = await live.expectFailure(['--json', ...args], { exit, says: [] });
      const lines = stdout.split('\n').map((line) => JSON.parse(line) as Record<string, unknown>);
      expect(lines.every((line) => line['v'] === 1)).toBe(true);
      expect(lines.at(-1)).toMatchObject({ type: 'error', exit });
      return lines.at(-1)?.['problems'] as { code: string }[];
    };

    expect(await errorOf(['frobnicate'], 2)).toMatchObject([{ code: 'USAGE_INVALID' }]);
    expect(await errorOf([], 2)).toMatchObject([{ code: 'USAGE_INVALID' }]);
    expect(await errorOf(['install', 'nope'], 2)).toMatchObject([{ code: 'ENVIRONMENT_UNKNOWN' }]);
    await site.writeSpec('a', [live.channel], ['helo']);
    expect(await errorOf(['install', 'a'], 5)).toMatchObject([
      { code: 'PACKAGE_NOT_FOUND', at: `${specFile()}:5:5`, hint: 'did you mean hello?' },
    ]);
    await writeFile(site.configFile, 'site: 7\n');
    expect((await errorOf(['list'], 3)).length).toBeGreaterThan(2);
  });
});

describe('specs and channels', () => {
  it('names a package that no channel has, where it is asked for', async () => {
    await site.writeSpec('a', [live.channel], ['hello', 'no-such-thing']);
    await live.expectFailure(['install', 'a'], {
      exit: 5,
      says: [`${specFile()}:6:5`, 'PACKAGE_NOT_FOUND', 'no package is called no-such-thing', live.channel],
    });
  });

  it('gives the solver’s explanation for specs that contradict each other', async () => {
    await site.writeSpec('a', [live.channel], ['hello=1.0', 'hello>=2']);
    await live.expectFailure(['install', 'a'], {
      exit: 5,
      says: ['SOLVE_UNSATISFIABLE', `${specFile()}:5:5`, 'hello'],
    });
  });

  it('names a channel that nobody answers for, over http and on disk', async () => {
    const port = await freePort();
    const missing = pathToFileURL(path.join(site.dir, 'no-channel')).href;
    await site.writeSpec('a', [`http://127.0.0.1:${port}/channel`], ['hello']);
    await live.expectFailure(['install', 'a'], {
      exit: 5,
      says: [`http://127.0.0.1:${port}/channel`, /CHANNEL_\w+/],
    });
    await site.writeSpec('a', [missing], ['hello']);
    await live.expectFailure(['install', 'a'], { exit: 5, says: [missing, /CHANNEL_\w+/] });
  });

  it('refuses an archive that is not the one of the index: changed, cut short', async () => {
    const { url, dir } = await live.makeChannel('changed', ['3.0', '3.1']);
    const file = (version: string): string => path.join(dir, `linux-64/hello-${version}-h0_0.conda`);
    const bytes = await readFile(file('3.0'));
    bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
    await writeFile(file('3.0'), bytes);
    await truncate(file('3.1'), 700);

    for (const version of ['3.0', '3.1']) {
      await site.writeSpec('a', [url], [`hello=${version}`]);
      await live.expectFailure(['install', 'a'], {
        exit: 5,
        says: [
          'PACKAGE_HASH_MISMATCH',
          `${url}/linux-64/hello-${version}-h0_0.conda`,
          /expected sha256 \w{64}, got \w{64}/,
        ],
      });
    }
  });

  it('writes nothing outside the prefix, whatever the paths of an archive', async () => {
    const dir = path.join(site.dir, 'hostile');
    const outside = path.join(site.dir, 'outside');
    await mkdir(outside);
    const evil = { type: 'file', data: 'evil\n' } as const;
    const packages: Readonly<Record<string, CondaPackage['files']>> = {
      dots: [{ ...evil, path: '../evil' }],
      deep: [{ ...evil, path: `share/${'../'.repeat(20)}${outside.slice(1)}/evil` }],
      absolute: [{ ...evil, path: path.join(outside, 'evil') }],
      link: [
        { type: 'symlink', path: 'share/out', target: outside },
        { ...evil, path: 'share/out/evil' },
      ],
    };
    const records = [];
    for (const [name, files] of Object.entries(packages)) {
      const index = { name, version: '1', build: '0', build_number: 0, subdir: 'linux-64', depends: [] };
      records.push(await writeCondaPackage({ dir, format: 'conda', index, files }));
    }
    await writeRepodata(dir, records);

    for (const name of Object.keys(packages)) {
      await site.writeSpec('a', [pathToFileURL(dir).href], [name]);
      await live.expectFailure(['install', 'a'], {
        exit: 5,
        says: ['PACKAGE_HOSTILE', `hostile/linux-64/${name}-1-0.conda`, 'member'],
      });
    }
    expect(await readdir(outside)).toEqual([]);
    expect((await readdir(site.dir, { recursive: true })).filter((file) => path.basename(file) === 'evil')).toEqual([]);
  });

  it('says which line of a pip section an image cannot hold', async () => {
    await site.writeSpec('a', [live.channel], ['hello=1.0', 'pip:\n      - -e ./here'], '');
    await live.expectFailure(['install', 'a'], {
      exit: 3,
      says: ['PIP_LINE_INVALID', new RegExp(`${specFile()}:7:\\d+`)],
    });
  });

  it('says what a pip section names that is not there, before anything is built', async () => {
    await site.writeSpec('a', [live.channel], ['hello=1.0', 'pip:\n      - -r missing.txt'], '');
    const expected = { exit: 3, says: ['PIP_LINE_INVALID', /there is no .*missing\.txt/] };
    for (const words of ['install --dry-run a', 'config check']) await live.expectFailure(words.split(' '), expected);
  });
});

describe('the machine', () => {
  /** A PATH of one directory that has every program that a build needs, but not these. */
  async function pathWithout(...missing: string[]): Promise<{ dir: string; env: { PATH: string } }> {
    const dir = await mkdtemp(path.join(os.tmpdir(), 'condense-path-'));
    for (const name of ['apptainer', 'singularity', 'mksquashfs', 'unsquashfs', 'bzip2', 'getent', 'git', 'bash']) {
      const program = missing.includes(name) ? undefined : await findProgram(name);
      if (program !== undefined) await symlink(program, path.join(dir, name));
    }
    return { dir, env: { PATH: dir } };
  }

  it('names the package of a program that is missing, before anything is built', async () => {
    const { dir, env } = await pathWithout('mksquashfs', 'bzip2');
    const { stderr } = await live.expectFailure(
      ['install', 'a'],
      { exit: 4, says: ['TOOL_MISSING', 'mksquashfs is not on PATH', 'squashfs-tools', 'bzip2 is not on PATH'] },
      env,
    );
    expect(stderr).not.toContain('solve');
    await rm(dir, { recursive: true });
  });

  it('says how to get a container runtime', async () => {
    const { dir, env } = await pathWithout('apptainer', 'singularity');
    await live.expectFailure(
      ['install', 'a'],
      { exit: 4, says: ['RUNTIME_MISSING', 'neither apptainer nor singularity', 'runtime: { program:'] },
      env,
    );
    await rm(dir, { recursive: true });
  });

  it('publishes nothing where something else has the public path, and goes on once that is away', async () => {
    const taken = path.join(site.prefix, 'apps/taken');
    await mkdir(taken);
    await writeFile(path.join(taken, 'precious'), 'theirs');
    await site.writeConfig(`  a: { version: '1', stable: '1' }\n`, 'envs_dir: apps/taken\n');
    await live.expectFailure(['install', 'a'], {
      exit: 7,
      says: ['PUBLIC_PATH_TAKEN', taken, `mv ${taken} ${taken}.old`],
    });

    await rm(taken, { recursive: true });
    await site.condenseOk('install', 'a');
    expect(await readdir(taken)).toEqual(['a', 'a-1', 'a-1.sqsh']);
    await rm(taken);
  });

  describe('for an ordinary user', () => {
    /** As `nobody` where the tests are root; otherwise the directories that are made read-only stop us as well. */
    async function runAsUser(configFile: string): Promise<Ran> {
      const [program = '', ...args] = asOrdinaryUser([
        process.execPath,
        condense,
        '--config',
        configFile,
        'install',
        'a',
      ]);
      const { exitCode, stdout, stderr } = await execa(program, args, {
        cwd: live.home,
        reject: false,
        extendEnv: false,
        env: { PATH: process.env['PATH'] ?? '', HOME: live.home, LANG: 'C.UTF-8' },
      });
      return { exitCode, stdout, stderr };
    }
    async function makeReadOnly<T>(dir: string, work: () => Promise<T>): Promise<T> {
      await chmod(dir, 0o555);
      try {
        return await work();
      } finally {
        await chmod(dir, 0o755);
      }
    }

    it('runs for an account that the machine has no name for', async () => {
      const [program, ...other] =
        process.getuid?.() === 0 ? (['setpriv', '--reuid=12345'] as const) : (['unshare', '--user'] as const);
      const args = [...other, process.execPath, condense, '--config', site.configFile, 'list'];
      const { exitCode, stderr } = await execa(program, args, { cwd: '/', reject: false });
      expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    });

    it.each([
      { what: 'the admin directory', key: 'admin_dir', dir: () => site.admin },
      { what: 'the prefix', key: 'prefix', dir: () => path.join(site.prefix, 'apps/condense') },
      { what: 'the staging directory', key: 'staging_dir', dir: () => path.join(site.dir, 'staging') },
    ])('names the directory that may not be written before anything is built: $what', async ({ key, dir }) => {
      const own = { prefix: './site', admin_dir: './admin', staging_dir: './staging' };
      const theirs = { prefix: site.prefix, admin_dir: site.admin, staging_dir: path.join(site.dir, 'staging') };
      const places = Object.entries({ ...own, prefix: site.prefix, [key]: theirs[key as keyof typeof theirs] });
      const lines = places.map(([name, place]) => `${name}: ${place}\n`).join('');
      await writeFile(
        path.join(live.home, 'install_config.yaml'),
        `site: user\n${lines}environments:\n  a: { version: '1', spec: ${specFile()} }\n`,
      );
      await site.writeSpec('a', [live.channel], ['hello=2.0']);
      const before = await live.readPrefix();

      const ran = await makeReadOnly(dir(), () => runAsUser(path.join(live.home, 'install_config.yaml')));

      await live.expectUnharmed(
        ran,
        { exit: 4, says: ['PERMISSION_DENIED', new RegExp(`error {2}${dir()}`), 'ls -ld'] },
        before,
      );
      expect(ran.stderr).not.toContain('solve');
      const scratch = await readdir(path.join(live.home, 'staging')).catch(() => []);
      expect(scratch).toEqual([]);
    });
  });

  it.each([
    { what: 'admin', exit: 5, code: 'DISK_TOO_SMALL' },
    { what: 'staging', exit: 5, code: 'DISK_FULL' },
    { what: 'site', exit: 5, code: 'DISK_FULL' },
  ])('says which disk is full: $what', async ({ what, exit, code }) => {
    const full = path.join(site.dir, 'full');
    await mkdir(full, { recursive: true });
    const config = await readFile(site.configFile, 'utf8');
    await writeFile(site.configFile, config.replace(`./${what}\n`, `./full/${what}\n`));
    const dir = path.join(site.dir, 'large');
    const index = { name: 'large', version: '1', build: '0', build_number: 0, subdir: 'linux-64', depends: [] };
    const files = [{ type: 'file', path: 'share/large', data: randomBytes(300_000) }] as const;
    await writeRepodata(dir, [await writeCondaPackage({ dir, format: 'conda', index, files })]);
    await site.writeSpec('a', [pathToFileURL(dir).href], ['large']);
    const before = await live.readPrefix();

    // A small file system that only that process sees.
    const asRoot = process.getuid?.() === 0 ? [] : ['--map-root-user'];
    const mount = ['sh', '-c', 'mount -t tmpfs -o size=256k none "$1" && shift && exec "$@"', 'sh', full];
    const { exitCode, stdout, stderr } = await execa(
      'unshare',
      [...asRoot, '--mount', ...mount, process.execPath, condense, 'install', 'a'],
      { cwd: site.dir, reject: false },
    );

    await live.expectUnharmed({ exitCode, stdout, stderr }, { exit, says: [code, full, 'df -h'] }, before);
  });
});

describe('the output', () => {
  it('is an error where it cannot be written', async () => {
    const full = await open('/dev/full', 'w');
    const child = spawn(process.execPath, [condense, '--config', site.configFile, 'list'], {
      stdio: ['ignore', full.fd, 'pipe'],
    });
    const stderr = child.stderr ? await text(child.stderr) : '';
    await full.close();

    expect(stderr).toContain('DISK_FULL');
    expect(child.exitCode ?? (await once(child, 'exit'))[0]).toBe(4);
  });
});

describe('the gate', () => {
  it('keeps its report of a release that fails, and for another try the release, which nobody sees', async () => {
    await site.writeConfig(`  a: { version: '1', stable: '1', gate: { imports: [nothing] } }\n`);
    const before = await live.readPrefix();

    const { exitCode, stderr } = await site.condense('install', 'a');

    expect(stderr).toMatch(/import nothing[^]*GATE_FAILED/);
    expect(exitCode).toBe(6);
    const kept = /a-1-(\S+)-gate\.xml/.exec(stderr)?.[1] ?? '';
    const after = await live.readPrefix();
    expect(after).toContain(`apps/condense/releases/a-1/${kept}/`);
    expect(after.filter((line) => !line.startsWith(`apps/condense/releases/a-1/${kept}/`))).toEqual(before);
    expect(await live.runHello()).toBe(GREETING);
    const report = await readFile(/\S+-gate\.xml/.exec(stderr)?.[0] ?? '', 'utf8');
    expect(report).toContain('name="the image mounts" time=');
    expect(report).toMatch(/name="import nothing"[^>]*>\s*<failure>/);
  });
});

describe('two at once', () => {
  it('refuses a second build of the same environment, saying who builds it, where and since when', async () => {
    const { url, dir } = await live.makeChannel('slow', ['5.0']);
    const archive = path.join(dir, 'linux-64/hello-5.0-h0_0.conda');
    const bytes = await readFile(archive);
    // A pipe in the archive's place: the first build waits until the test writes to it.
    await rm(archive);
    await promisify(execFile)('mkfifo', [archive]);
    await site.writeSpec('a', [url], ['hello=5.0']);
    const first = site.start(['--json', 'install', 'a']);
    const pipe = await open(archive, 'w'); // opens when the first build reads

    const second = await site.condense('install', 'a');
    await pipe.writeFile(bytes);
    await pipe.close();

    expect(second.stderr).toMatch(
      new RegExp(
        `${os.userInfo().username} on ${os.hostname()} \\(pid ${first.pid ?? ''}\\) since \\d{4}-\\S+Z, for: build of a-1`,
      ),
    );
    expect(second.stderr).toContain('LOCK_HELD');
    expect(second.exitCode).toBe(11);
    expect((await first).exitCode).toBe(0);
    expect(await live.runHello()).toContain('hello 5.0');
    expect(await live.readLeftovers()).toEqual([]);
  });

  it('builds and publishes two environments', async () => {
    await site.writeSpec('a', [live.channel], ['hello=2.0']);
    await site.writeSpec('b', [live.channel], ['hello=2.0']);
    const [a, b] = await Promise.all([site.condense('install', 'a'), site.condense('install', 'b')]);

    expect([a.exitCode, b.exitCode], a.stderr + b.stderr).toEqual([0, 0]);
    expect(await live.runHello()).toBe(GREETING.replace('1.0', '2.0'));
    expect(await site.liveRelease('a-1')).toBeDefined();
    expect(await site.liveRelease('b-1')).toBeDefined();
    expect(await live.readLeftovers()).toEqual([]);
  });
});

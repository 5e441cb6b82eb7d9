// pip sections of every kind in one real prefix, with its own pip, from an index on loopback.
import { createHash } from 'node:crypto';
import { lstat, mkdir, readdir, readFile, symlink } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { cachedPackageFile } from '../../src/conda/fetch.ts';
import { AppError, type Problem } from '../../src/system/app-error.ts';
import { runCommand } from '../../src/system/run-command.ts';
import { walkTree } from '../../src/system/files.ts';
import {
  backendFiles,
  makeHostile,
  makeSdist,
  makeWheel,
  setuptoolsWheels,
  type Distribution,
} from '../pip/distributions.ts';
import { certificate } from '../integration/conda/self-signed.ts';
import { PipIndex } from '../pip/pip-index.ts';
import { PipPrefix } from '../pip/pip-prefix.ts';

const SITE = 'lib/python3.11/site-packages';
let prefix: PipPrefix;
let index: PipIndex;
let from: string;
let foo: Distribution;

beforeAll(async () => {
  prefix = await PipPrefix.make();
  index = await PipIndex.start();
  from = `--index-url ${index.url}`;
  foo = await makeWheel({
    name: 'foo',
    version: '1.0',
    files: {
      'foo.py': 'import helper, packaging\ndef main():\n    print("foo", helper.NAME, packaging.__version__)\n',
      'foo_template.py': 'def {{ name }}():\n',
      'foo-1.0.data/data/share/foo/text': 'data\n',
      'foo-1.0.data/scripts/foo-script': '#!python\nimport sys\nprint(sys.executable)\n',
      'foo-1.0.data/headers/foo.h': '',
    },
    entryPoints: '[console_scripts]\nfoo = foo:main\n[gui_scripts]\nfoo-gui = foo:main\n',
    metadata: [
      'Requires-Dist: packaging>=20',
      'Requires-Dist: helper',
      "Requires-Dist: Extra.Thing; extra == 'more'",
      'Provides-Extra: more',
    ],
  });
  index.add(
    foo,
    await makeWheel({ name: 'helper', version: '2.0', files: { 'helper.py': 'NAME = "helper 2.0"\n' } }),
    await makeWheel({ name: 'helper', version: '3.0rc1', files: { 'helper.py': '' } }),
    await makeWheel({ name: 'Extra_Thing', version: '3.0', files: { 'extra_thing.py': '' } }),
    await makeWheel({ name: 'packaging', version: '19.0', files: {} }),
    await makeWheel({ name: 'conda_tool', version: '2.0', files: {} }),
    await makeWheel({ name: 'wants_old', version: '1.0', files: {}, metadata: ['Requires-Dist: packaging<20'] }),
    await makeWheel({ name: 'wants_helper', version: '1.0', files: {}, metadata: ['Requires-Dist: helper<2'] }),
    await makeSdist('fromsource', '0.5', backendFiles('fromsource', '0.5')),
  );
});
afterAll(async () => {
  await index.stop();
  await prefix.remove();
});

const inside = async (program: string, ...args: string[]): Promise<string> => {
  const { stdout } = await prefix.run(program, args);
  return stdout.toString().trim();
};

async function failure(work: Promise<unknown>): Promise<Problem> {
  const error = await work.then(
    () => new Error('it did not fail'),
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof AppError) || !error.problems[0]) throw error;
  return error.problems[0];
}

describe('resolving', () => {
  it('takes extras and dependencies, leaves what conda has, and asks for no credentials of its own', async () => {
    const locked = await prefix.resolve([from, 'foo[more]']);

    expect(locked).toMatchObject([
      { name: 'extra-thing', version: '3.0', kind: 'wheel', requested: false, direct: false },
      {
        name: 'foo',
        kind: 'wheel',
        url: index.fileUrl(foo),
        sha256: createHash('sha256').update(foo.bytes).digest('hex'),
        requested: true,
      },
      { name: 'helper', version: '2.0', requested: false },
    ]);
    expect(index.requests.some((line) => line.includes('/packaging/'))).toBe(false);
  });

  it('reads JSON indexes, options and requirements in files, constraints, and markers', async () => {
    index.json = true;
    await prefix.write(
      'more/requirements.txt',
      '# all\nhelper \\\n  >=2\n-c constraints.txt\nfoo; python_version < "3"\n',
    );
    await prefix.write('more/constraints.txt', 'helper!=2.0\n');

    expect(await prefix.resolve([from, '--pre', '-r more/requirements.txt'])).toMatchObject([
      { name: 'helper', version: '3.0rc1' },
    ]);
    index.json = false;
  });

  it.each([
    ['named by the section', 'packaging<20', 'packaging', '23.0', '19.0'],
    ['wanted by another', 'wants_old', 'packaging', '23.0', '19.0'],
    ['of another name than its distribution', 'conda-tool>=2', 'condatool', '1.5', '2.0'],
  ])('does not replace a conda package %s', async (_, line, name, there, wanted) => {
    const { code, at, message, hint } = await failure(prefix.resolve([from, line]));

    expect(code).toBe('PIP_REPLACES_CONDA');
    expect(at).toBe('environment.yml:6:7');
    expect(message).toContain(`${there} of the conda package ${name}`);
    expect(message).toContain(wanted);
    expect(hint).toContain(`- ${name}=${wanted}`);
  });

  it.each([
    ['there is no such project', 'missing-project', /No matching distribution found for missing-project/],
    ['versions are in conflict', 'wants_helper\nfoo', /helper<2/],
    ['no version fits', 'helper>5', /helper>5/],
  ])('fails with the words of pip where %s', async (_, lines, words) => {
    const { code, at, message } = await failure(prefix.resolve([from, ...lines.split('\n')]));

    expect(code).toBe('PIP_FAILED');
    expect(at).toMatch(/^environment\.yml:\d+:7$/);
    expect(message).toMatch(words);
    expect(message).not.toMatch(/Traceback|\/opt\/conda\/\.pip/);
  });

  it('gives an index its password from the URL or netrc, and shows or keeps it nowhere', async () => {
    index.login = 'me:pa%ss w"rd';
    const url = `http://me:${encodeURIComponent('pa%ss w"rd')}@127.0.0.1:${index.port}/simple`;
    const netrc = [{ host: '127.0.0.1', login: 'me', password: 'pa%ss w"rd' }];
    try {
      const without = await failure(prefix.resolve([from, 'foo']));
      expect(without.message).toContain('401');
      expect(without.hint).toContain('netrc');
      for (const [line, logins] of [
        [`--index-url ${url}`, []],
        [from, netrc],
      ] as const) {
        prefix.forgetCaches();
        const locked = await prefix.resolve([line, 'foo'], { logins });
        expect(JSON.stringify(locked)).not.toMatch(/pa%|pa%25|me:/);
        expect(await prefix.wheels([line, 'foo'], locked, { logins })).toHaveLength(2);
        expect(await readFile(path.join(prefix.fixture.dir, 'scratch/home/.netrc'), 'utf8')).toContain(
          'machine 127.0.0.1',
        );
      }
      const refused = await failure(prefix.resolve([`--index-url ${url}`, 'nothing-of-this-name']));
      expect(JSON.stringify(refused)).not.toMatch(/pa%|ss w/);
    } finally {
      index.login = undefined;
    }
  });

  it('goes through the proxy of the environment', async () => {
    const networkVariables = { http_proxy: `http://127.0.0.1:${index.port}` };

    const locked = await prefix.resolve(['--index-url http://127.0.0.9/simple', 'helper'], { networkVariables });

    expect(locked).toMatchObject([{ name: 'helper', url: 'http://127.0.0.9/files/helper-2.0-py3-none-any.whl' }]);
    expect(index.requests).toContain('GET http://127.0.0.9/simple/helper/');
  });

  it('trusts the authorities of the environment, and no others', async () => {
    const secure = await PipIndex.start(true);
    secure.add(await makeWheel({ name: 'secure', version: '1.0', files: {} }));
    const lines = [`--index-url https://127.0.0.1:${secure.port}/simple`, 'secure'];
    try {
      expect(await prefix.resolve(lines, { authorities: certificate })).toMatchObject([{ name: 'secure' }]);
      const { message, hint } = await failure(prefix.resolve(lines));
      expect(message).toMatch(/CERTIFICATE_VERIFY_FAILED|self.signed/);
      expect(hint).toContain('SSL_CERT_FILE');
    } finally {
      await secure.stop();
    }
  });
});

describe('installing', () => {
  it('puts wheels beside conda packages, the same each time, with nothing of the building machine', async () => {
    const before = await tree();
    const locked = await prefix.resolve([from, 'foo']);
    const asked = index.requests.length;

    await prefix.install([from, 'foo'], locked);

    expect(index.requests.slice(asked).filter((line) => line.includes('/simple/'))).toEqual([]);
    expect(await inside('bin/foo')).toBe('foo helper 2.0 23.0');
    expect(await inside('bin/foo-script')).toBe(`${prefix.fixture.prefixInside}/bin/python3.11`);
    expect(await prefix.fixture.text('bin/foo')).toMatch(/^#!\/opt\/conda\/analysis3-26\.11\/bin\/python3\.11\n/);
    expect(await prefix.fixture.text('share/foo/text')).toBe('data\n');
    const added = [...(await tree())].filter(([file]) => !before.has(file));
    expect(added.map(([file]) => file)).toEqual(
      expect.arrayContaining([
        `${SITE}/foo.py`,
        `${SITE}/__pycache__/foo.cpython-311.pyc`,
        `${SITE}/foo-1.0.dist-info/REQUESTED`,
        `${SITE}/helper-2.0.dist-info/RECORD`,
        'include/python3.11/foo/foo.h',
      ]),
    );
    expect(
      added.map(([file]) => file).filter((file) => /direct_url|helper.*REQUESTED|foo_template.*pyc/.test(file)),
    ).toEqual([]);
    expect(new Set(added.map(([, time]) => time)).size).toBe(1);
    for (const [file] of added)
      expect(await prefix.fixture.text(file), file).not.toMatch(/\/opt\/conda\/\.pip|\/tmp\//);
    expect(await prefix.fixture.text(`${SITE}/helper-2.0.dist-info/RECORD`)).not.toContain('REQUESTED');
    expect((await prefix.run('bin/python3', ['-m', 'pip', 'check'])).stdout.toString()).toContain(
      'No broken requirements',
    );
  });

  it('takes the wheel of its own platform, with an extension module, and not that of another', async () => {
    const source = await prefix.write(
      'native.c',
      '#include <Python.h>\nstatic struct PyModuleDef def = {PyModuleDef_HEAD_INIT, "native", "compiled", -1};\nPyMODINIT_FUNC PyInit_native(void) { return PyModule_Create(&def); }\n',
    );
    const module = path.join(prefix.dir, 'native.so');
    await runCommand({ program: 'gcc', args: ['-shared', '-fPIC', '-I/usr/include/python3.11', '-o', module, source] });
    const files = { 'native.cpython-311-x86_64-linux-gnu.so': await readFile(module) };
    index.add(
      await makeWheel({ name: 'native', version: '1.0', files, tag: 'cp311-cp311-linux_x86_64' }),
      await makeWheel({ name: 'native', version: '2.0', files: {}, tag: 'cp312-cp312-linux_x86_64' }),
      await makeWheel({ name: 'native', version: '2.0', files: {}, tag: 'cp311-cp311-macosx_11_0_arm64' }),
    );
    const locked = await prefix.resolve([from, 'native']);

    await prefix.install([from, 'native'], locked);

    expect(locked).toMatchObject([{ version: '1.0' }]);
    expect(await inside('bin/python3', '-c', 'import native; print(native.__doc__)')).toBe('compiled');
  });

  it('refuses wheels with a file or a command of a conda package, naming both', async () => {
    index.add(
      await makeWheel({ name: 'clobber_a', version: '1.0', files: { 'shared_module.py': '' } }),
      await makeWheel({
        name: 'clobber_b',
        version: '1.0',
        files: { 'clobber_b-1.0.data/scripts/condatool': '#!python\n' },
      }),
    );
    const lines = [from, 'clobber_a', 'clobber_b'];
    const locked = await prefix.resolve(lines);

    const error = await prefix.install(lines, locked).catch((thrown: unknown) => thrown);

    const problems = (error as AppError).problems;
    expect(problems.map(({ code, at }) => [code, at])).toEqual([
      ['PIP_CLOBBERS', `${SITE}/shared_module.py`],
      ['PIP_CLOBBERS', 'bin/condatool'],
    ]);
    expect(problems[0]?.message).toContain('clobber_a-1.0-py3-none-any.whl');
    expect(problems[0]?.message).toContain('conda package condatool');
  });

  it('refuses a wheel that leaves the environment', async () => {
    index.add(
      makeHostile(await makeWheel({ name: 'hostile', version: '1.0', files: { 'xx/xx/xx/xx/.pip/evil.py': '' } })),
    );
    const locked = await prefix.resolve([from, 'hostile']);

    expect(await failure(prefix.install([from, 'hostile'], locked))).toMatchObject({
      code: expect.stringMatching(/^PIP_/) as string,
    });
  });

  it('notices that the index has another file than was locked, unless the cache has the right one', async () => {
    const good = await makeWheel({ name: 'swap', version: '1.0', files: { 'swap.py': 'GOOD = 1\n' } });
    index.add(good);
    const locked = await prefix.resolve([from, 'swap']);
    await prefix.wheels([from, 'swap'], locked);
    index.add(await makeWheel({ name: 'swap', version: '1.0', files: { 'swap.py': 'EVIL = 1\n' } }));

    await expect(prefix.wheels([from, 'swap'], locked)).resolves.toHaveLength(1);
    prefix.forgetCaches();
    expect(await failure(prefix.wheels([from, 'swap'], locked))).toMatchObject({ code: 'PACKAGE_HASH_MISMATCH' });
    index.remove(good);
    expect(await failure(prefix.wheels([from, 'swap'], locked))).toMatchObject({ code: 'PACKAGE_UNREACHABLE' });
  });
});

describe('what pip downloads to resolve', () => {
  it('is not downloaded again to be installed, wheels and sdists', async () => {
    prefix.forgetCaches();
    index.requests.length = 0;
    const lines = [from, 'foo[more]', 'fromsource'];
    const locked = await prefix.resolve(lines);
    await prefix.wheels(lines, locked);

    const downloads = index.requests.filter((line) => line.includes('/files/') && !line.includes('setuptools'));
    expect(new Set(locked.map(({ kind }) => kind))).toEqual(new Set(['wheel', 'sdist']));
    expect(downloads.toSorted()).toEqual(locked.map(({ url }) => `GET ${new URL(url).pathname}`).toSorted());
  });
});

describe('what is no wheel', () => {
  it('is built once from its sdist, and then taken from the cache', async () => {
    prefix.forgetCaches();
    const locked = await prefix.resolve([from, 'fromsource']);
    expect(locked).toMatchObject([{ kind: 'sdist', sha256: expect.stringMatching(/^[0-9a-f]{64}$/) as string }]);

    const [one] = await prefix.wheels([from, 'fromsource'], locked);
    const built = prefix.said.filter((text) => text.includes('is built from')).length;
    const [two] = await prefix.wheels([from, 'fromsource'], locked);

    expect(one?.fileName).toBe('fromsource-0.5-py3-none-any.whl');
    expect(two).toEqual(one);
    expect(prefix.said.filter((text) => text.includes('is built from'))).toHaveLength(built);
  });

  it('changes nothing of the environment while it is built', async () => {
    const files = backendFiles('meddling', '1.0');
    const meddle = `import sys\nopen(sys.prefix + '/bin/condatool', 'a').write('# meddled\\n')\n`;
    index.add(await makeSdist('meddling', '1.0', { ...files, 'backend.py': meddle + (files['backend.py'] ?? '') }));

    const problem = await failure(prefix.resolve([from, 'meddling']));

    expect(problem.message).toContain('Read-only file system');
    expect(await prefix.fixture.text('bin/condatool')).not.toContain('meddled');
  });

  it('is built with what it requires from the index: setuptools, in isolation', async () => {
    index.add(...(await setuptoolsWheels(path.join(prefix.fixture.prefixOnDisk, SITE))));
    index.add(
      await makeSdist('classic', '1.2', {
        'setup.py': 'from setuptools import setup\nsetup(name="classic", version="1.2", py_modules=["classic"])\n',
        'classic.py': 'VERSION = "1.2"\n',
      }),
    );
    const locked = await prefix.resolve([from, 'classic']);

    await prefix.install([from, 'classic'], locked);

    expect(await inside('bin/python3', '-c', 'import classic; print(classic.VERSION)')).toBe('1.2');
  });

  it('comes from git at the commit that was locked', async () => {
    const work = path.join(prefix.dir, 'git-work');
    const git = (...args: string[]) =>
      runCommand({
        program: 'git',
        args: ['-C', work, '-c', 'user.name=t', '-c', 'user.email=t@example.org', ...args],
      });
    await mkdir(work);
    await git('init', '--quiet', '--initial-branch=main');
    for (const [name, text] of Object.entries(backendFiles('fromgit', '0.1')))
      await prefix.write(`git-work/python/${name}`, text);
    await git('add', '.');
    await git('commit', '--quiet', '-m', 'one');
    const commit = (await git('rev-parse', 'HEAD')).stdout.toString().trim();
    index.gitRoot = prefix.dir;
    // Git's "dumb" protocol: plain files.
    await git('update-server-info');
    const line = `fromgit @ git+http://127.0.0.1:${index.port}/git/git-work/.git@main#subdirectory=python`;
    const locked = await prefix.resolve([from, line]);
    await prefix.write('git-work/python/fromgit.py', 'ORIGIN = "later"\n');
    await git('commit', '--quiet', '-am', 'two');
    await git('update-server-info');

    expect(locked).toMatchObject([{ name: 'fromgit', kind: 'git', commit, subdirectory: 'python', direct: true }]);
    await prefix.install([from, line], locked);

    expect(await inside('bin/python3', '-c', 'import fromgit; print(fromgit.ORIGIN)')).toBe('built fromgit 0.1');
    const direct = JSON.parse(await prefix.fixture.text(`${SITE}/fromgit-0.1.dist-info/direct_url.json`)) as object;
    expect(direct).toMatchObject({ vcs_info: { vcs: 'git', commit_id: commit } });
    expect(await prefix.fixture.text(`${SITE}/fromgit-0.1.dist-info/RECORD`)).toContain(
      'fromgit-0.1.dist-info/direct_url.json,sha256=',
    );
  });

  it('may be a project, a wheel, or a directory of wheels on this machine, which stay as they are', async () => {
    for (const [name, text] of Object.entries(backendFiles('fromdir', '0.2')))
      await prefix.write(`my project/${name}`, text);
    const own = await makeWheel({
      name: 'own',
      version: '1.0',
      files: { 'own.py': '' },
      metadata: ['Requires-Dist: linked'],
    });
    const linked = await makeWheel({ name: 'linked', version: '1.0', files: { 'linked.py': '' } });
    await prefix.write(own.fileName, own.bytes);
    await prefix.write(`links/${linked.fileName}`, linked.bytes);
    await mkdir(path.join(prefix.dir, 'links/directory.zip'));
    await symlink('nowhere', path.join(prefix.dir, 'links/gone-1.0-py3-none-any.whl'));
    const lines = ['--no-index', '-f links', `./${own.fileName}`, './my project'];
    const before = await readdir(path.join(prefix.dir, 'my project'));
    const locked = await prefix.resolve(lines);

    expect(locked.map(({ name, kind, url }) => [name, kind, url.replace(prefix.dir, '')])).toEqual([
      ['fromdir', 'directory', 'file:///my%20project'],
      ['linked', 'wheel', `file:///links/${linked.fileName}`],
      ['own', 'wheel', `file:///${own.fileName}`],
    ]);
    await prefix.install(lines, locked);
    expect(await readdir(path.join(prefix.dir, 'my project'))).toEqual(before);
    const names = await readdir(path.join(prefix.fixture.prefixOnDisk, SITE, 'fromdir-0.2.dist-info'));
    expect(names).not.toContain('direct_url.json');

    const digest = prefix.digest(await prefix.section(lines));
    await prefix.write('my project/fromdir.py', 'ORIGIN = "changed"\n');
    expect(prefix.digest(await prefix.section(lines))).not.toBe(digest);
    prefix.forgetCaches();
    expect(await failure(prefix.wheels(lines, locked))).toMatchObject({ code: 'LOCAL_CHANGED' });
  });
});

test('a wheel that the disk has changed in the cache is fetched again', async () => {
  prefix.forgetCaches();
  index.add(await makeWheel({ name: 'late', version: '1.0', files: {} }));
  const locked = await prefix.resolve([from, 'late']);
  await prefix.wheels([from, 'late'], locked);
  const { url = '', sha256 = '' } = locked[0] ?? {};
  const file = cachedPackageFile(prefix.packageCache, { url, sha256 });
  await prefix.spoil(file);

  const [wheel] = await prefix.wheels([from, 'late'], locked);

  expect(wheel?.sha256).toBe(sha256);
  expect(prefix.said.at(-1)).toContain('is damaged');
});

/** Files of the prefix and their times. */
async function tree(): Promise<Map<string, number>> {
  const files = new Map<string, number>();
  for await (const entry of walkTree(prefix.fixture.prefixOnDisk))
    if (entry.kind === 'file')
      files.set(entry.path, (await lstat(path.join(prefix.fixture.prefixOnDisk, entry.path))).mtimeMs);
  return files;
}

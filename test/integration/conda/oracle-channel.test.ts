// Every package of the test channel, in one prefix made by condense and one made by an installer that shares no code with it.
import {
  appendFile,
  chmod,
  copyFile,
  link,
  mkdir,
  mkdtemp,
  readFile,
  readdir,
  rm,
  symlink,
  unlink,
  writeFile,
} from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import { installArchives } from '../../../src/conda/install-archives.ts';
import { runCommand } from '../../../src/system/run-command.ts';
import { ensureTestChannel } from '../../channel/make-channel.ts';
import { comparePrefixes } from '../../oracle/compare-prefixes.ts';
import { runOracle, type OracleResult } from '../../oracle/run-oracle.ts';

const repodata = z.record(
  z.string(),
  z.object({
    ...{ name: z.string(), version: z.string(), build: z.string(), build_number: z.int() },
    ...{ sha256: z.string() },
  }),
);
const specs = ['python=3.11', 'numpy', 'Xarray >=1'];

let dir: string;
let prefix: string;
let oracles: string;
let count: number;
let oracle: OracleResult;

beforeAll(async () => {
  const { dir: channelDir } = await ensureTestChannel();
  dir = await mkdtemp(path.join(tmpdir(), 'oracle-'));
  prefix = path.join(dir, 'opt/conda/everything');
  oracles = path.join(dir, 'oracles');
  const packages = await readChannel(channelDir);
  count = packages.length;
  await installArchives(
    {
      lock: {
        ...{ lockVersion: 1, platform: 'linux-64', inputsDigest: '0', virtualPackages: {}, packages },
        channels: ['https://channel.example/main'],
      },
      requestedSpecs: specs,
      prefixOnDisk: prefix,
      prefixInside: prefix,
      runInside: runCommand,
      report: () => undefined,
    },
    new Map(packages.map(({ sha256, archive }) => [sha256, archive])),
  );
  oracle = await runOracle({ packages, prefixOnDisk: oracles, prefixInside: prefix, specs });
});
afterAll(() => rm(dir, { recursive: true, force: true }));

async function readChannel(channelDir: string) {
  const packages = [];
  for (const subdir of ['noarch', 'linux-64']) {
    const text = await readFile(path.join(channelDir, subdir, 'repodata.json'), 'utf8');
    const parsed = z.object({ packages: repodata, 'packages.conda': repodata }).parse(JSON.parse(text));
    for (const [file, record] of Object.entries({ ...parsed.packages, ...parsed['packages.conda'] })) {
      const { build_number: buildNumber, ...rest } = record;
      packages.push({
        ...{ ...rest, buildNumber, subdir, channel: 'https://channel.example/main' },
        url: `https://channel.example/main/${subdir}/${file}`,
        archive: path.join(channelDir, subdir, file),
      });
    }
  }
  return packages;
}

/** Bytecode that came with a source which the prefix was put into: it named the old size, and is compiled anew. */
const recompiled = (): string[] =>
  oracle.rewritten
    .filter((source) => source.endsWith('.py'))
    .map((source) => `${path.dirname(source)}/__pycache__/${path.basename(source, '.py')}.cpython-311.pyc`)
    .filter((pyc) => existsSync(path.join(oracles, pyc)));

it('are the same tree, modes, bytes and links, and the same records', async () => {
  expect(count).toBeGreaterThan(180);
  expect(oracle.bytecode.length).toBeGreaterThan(1000);
  const onlyOurs = [...oracle.bytecode, ...recompiled(), 'var/cache/fonts/count'];
  expect(await comparePrefixes({ ours: prefix, oracles, onlyOurs: new Set(onlyOurs) })).toEqual([]);
});

it('has the bytecode that the environment’s own python makes, all of it and for its very sources', async () => {
  const { stdout } = await runCommand({
    program: `${prefix}/bin/python${oracle.python ?? ''}`,
    args: ['-I', path.join(import.meta.dirname, '../../oracle/check_bytecode.py')],
    input: JSON.stringify({ prefix, bytecode: [...oracle.bytecode, ...recompiled()], each: 25 }),
  });

  expect(JSON.parse(stdout.toString('utf8'))).toEqual([]);
});

it.each([
  ['a byte', 'bin/python3.11', (at: string) => appendFile(at, 'x')],
  ['a mode', 'bin/python3.11', (at: string) => chmod(at, 0o700)],
  ['a file less', 'bin/python3.11', (at: string) => unlink(at)],
  ['a file more', 'bin/python3.11.more', (at: string) => writeFile(at, '')],
  ['a directory more', 'bin/python3.11.d', (at: string) => mkdir(at)],
  ['the type', 'bin/python3.11', (at: string) => unlink(at).then(() => symlink('elsewhere', at))],
  ['a hard link', 'bin/python3.11.linked', (at: string) => link(path.join(path.dirname(at), 'python3.11'), at)],
  ['a record’s field', 'depends', (_: string, at: string) => changeRecord(at, '"depends"', '"depends_"')],
  ['a record’s path', 'sha256_in_prefix', (_: string, at: string) => changeRecord(at, 'sha256_in_prefix', 'sha')],
] as const)('would be seen to differ in %s', async (_, where, change) => {
  const small = await mkdtemp(path.join(dir, 'small-'));
  for (const name of ['a', 'b']) {
    await mkdir(path.join(small, name, 'bin'), { recursive: true });
    await mkdir(path.join(small, name, 'conda-meta'));
    await copyFile(path.join(oracles, 'bin/python3.11'), path.join(small, name, 'bin/python3.11'));
    await copyFile(await recordOf('python'), path.join(small, name, 'conda-meta/python.json'));
  }
  const compare = () =>
    comparePrefixes({ ours: path.join(small, 'a'), oracles: path.join(small, 'b'), onlyOurs: new Set() });
  expect(await compare()).toEqual([]);

  await change(path.join(small, 'a', where), path.join(small, 'a/conda-meta/python.json'));

  expect((await compare()).join('\n')).toContain(where);
});

async function recordOf(name: string): Promise<string> {
  const names = await readdir(path.join(oracles, 'conda-meta'));
  return path.join(oracles, 'conda-meta', names.find((file) => file.startsWith(`${name}-3`)) ?? '');
}

async function changeRecord(file: string, from: string, to: string): Promise<void> {
  await writeFile(file, (await readFile(file, 'utf8')).replaceAll(from, to));
}

import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { execFileSync } from 'node:child_process';
import { packageTimestamp, writeCondaPackage, type CondaPackage } from '../channel/conda-package.ts';
import { writeRepodata } from '../channel/write-repodata.ts';
import { serveChannel } from '../channel/serve-channel.ts';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'conda-package-'));
});
afterAll(() => rm(dir, { recursive: true }));

const placeholder = `/${'p'.repeat(254)}`;
const greet = (format: CondaPackage['format'], where: string): CondaPackage => ({
  dir: where,
  format,
  index: {
    name: 'greet',
    version: '1.0',
    build: 'h0_0',
    build_number: 0,
    subdir: 'linux-64',
    depends: ['python >=3.11'],
    timestamp: packageTimestamp,
  },
  files: [
    { type: 'directory', path: 'var/empty' },
    {
      type: 'file',
      path: 'bin/greet',
      mode: 0o755,
      data: `#!${placeholder}/bin/sh\n`,
      placeholder: { text: placeholder, mode: 'text' },
    },
    { type: 'symlink', path: 'bin/hello', target: 'greet' },
    { type: 'hardlink', path: 'bin/hi', target: 'bin/greet' },
  ],
});

it('writes a .tar.bz2 that tar reads, with modes, links and info', async () => {
  const record = await writeCondaPackage(greet('tar.bz2', dir));

  const listing = execFileSync('tar', ['-tvjf', path.join(dir, 'linux-64', record.fileName)], { encoding: 'utf8' });
  const lines = listing
    .trim()
    .split('\n')
    .map((line) => line.split(/\s+/));
  expect(lines.map((line) => [line[0], line.slice(5).join(' ')])).toEqual([
    ['-rw-r--r--', 'info/about.json'],
    ['-rw-r--r--', 'info/files'],
    ['-rw-r--r--', 'info/has_prefix'],
    ['-rw-r--r--', 'info/index.json'],
    ['-rw-r--r--', 'info/paths.json'],
    ['drwxr-xr-x', 'var/empty'],
    ['-rwxr-xr-x', 'bin/greet'],
    ['lrwxrwxrwx', 'bin/hello -> greet'],
    ['hrw-r--r--', 'bin/hi link to bin/greet'],
  ]);
});

it('writes a .conda that python reads: a stored zip of two zstd tars and the format version', async () => {
  const record = await writeCondaPackage(greet('conda', dir));

  const program =
    'import json,sys,zipfile\n' +
    'z=zipfile.ZipFile(sys.argv[1])\nassert z.testzip() is None\n' +
    'print(json.dumps([[i.filename,i.compress_type,list(i.date_time)] for i in z.infolist()]))\n' +
    'open(sys.argv[2],"wb").write(z.read("info-greet-1.0-h0_0.tar.zst"))';
  const info = path.join(dir, 'info.tar.zst');
  const members = execFileSync('python3', ['-c', program, path.join(dir, 'linux-64', record.fileName), info], {
    encoding: 'utf8',
  });
  expect(JSON.parse(members)).toEqual([
    ['metadata.json', 0, [2024, 6, 1, 0, 0, 0]],
    ['pkg-greet-1.0-h0_0.tar.zst', 0, [2024, 6, 1, 0, 0, 0]],
    ['info-greet-1.0-h0_0.tar.zst', 0, [2024, 6, 1, 0, 0, 0]],
  ]);
  const paths: unknown = JSON.parse(
    execFileSync('tar', ['--zstd', '-xOf', info, 'info/paths.json'], { encoding: 'utf8' }),
  );
  expect(paths).toMatchObject({
    paths_version: 1,
    paths: [
      { _path: 'var/empty', path_type: 'directory' },
      { _path: 'bin/greet', path_type: 'hardlink', file_mode: 'text', prefix_placeholder: placeholder },
      { _path: 'bin/hello', path_type: 'softlink' },
      { _path: 'bin/hi', path_type: 'hardlink' },
    ],
  });
});

it('gives equal bytes for equal entries, in another directory and time zone', async () => {
  const here = await writeCondaPackage(greet('conda', dir));
  const zone = process.env['TZ'];
  process.env['TZ'] = 'Pacific/Auckland';
  const there = await writeCondaPackage(greet('conda', path.join(dir, 'other')));
  if (zone === undefined) delete process.env['TZ'];
  else process.env['TZ'] = zone;

  expect(there).toEqual(here);
});

it('puts hostile names and broken info files into the archive as they are', async () => {
  const record = await writeCondaPackage({
    ...greet('tar.bz2', dir),
    index: { ...greet('tar.bz2', dir).index, name: 'evil' },
    files: [
      { type: 'file', path: '../evil', data: 'x' },
      { type: 'file', path: '/abs', data: 'x' },
      { type: 'symlink', path: 'lib', target: '/etc' },
    ],
    infoFiles: { 'paths.json': '{', files: undefined },
  });

  const names = execFileSync('tar', ['-tPjf', path.join(dir, 'linux-64', record.fileName)], { encoding: 'utf8' });
  expect(names.trim().split('\n')).toEqual([
    'info/about.json',
    'info/index.json',
    'info/paths.json',
    '../evil',
    '/abs',
    'lib',
  ]);
});

it('serves repodata of both archive kinds, answers 304 to a known ETag and sends nothing from outside', async () => {
  const channel = path.join(dir, 'served');
  const records = [
    await writeCondaPackage(greet('conda', channel)),
    await writeCondaPackage({
      ...greet('tar.bz2', channel),
      index: { ...greet('tar.bz2', channel).index, subdir: 'noarch', noarch: 'python' },
      entryPoints: ['greet = greet.cli:main'],
    }),
  ];
  await writeRepodata(channel, records);
  const served = await serveChannel(channel);
  try {
    const first = await fetch(`${served.url}/linux-64/repodata.json`);
    const again = await fetch(`${served.url}/linux-64/repodata.json`, {
      headers: { 'if-none-match': first.headers.get('etag') ?? '' },
    });
    const outside = await fetch(`${served.url}/%2e%2e/info.tar.zst`);
    const rest = await fetch(`${served.url}/linux-64/greet-1.0-h0_0.conda`, { headers: { range: 'bytes=10-' } });

    expect(await first.json()).toMatchObject({
      'packages.conda': { 'greet-1.0-h0_0.conda': { name: 'greet', sha256: records[0]?.sha256 } },
      packages: {},
    });
    expect([again.status, outside.status, rest.status]).toEqual([304, 404, 206]);
    const whole = await readFile(path.join(channel, 'linux-64/greet-1.0-h0_0.conda'));
    expect(Buffer.from(await rest.arrayBuffer())).toEqual(whole.subarray(10));
    expect(served.requests[0]).toBe('GET /linux-64/repodata.json');
  } finally {
    await served.close();
  }
});

// What `condense report` does to the directory that it is given.
import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { planReportChange, writeReport } from '../../../src/report/write-report.ts';
import { AppError } from '../../../src/system/app-error.ts';

let dir: string;
let out: string;
beforeEach(async () => {
  dir = await mkdtemp(path.join(os.tmpdir(), 'condense-report-'));
  out = path.join(dir, 'web/report');
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const pages = (...names: string[]) => new Map(names.map((name) => [name, `the page ${name}`]));
const first = pages('releases/a-1/one.html', 'environments/a.html', 'index.html');
const listFiles = async (): Promise<string[]> =>
  (await readdir(out, { recursive: true, withFileTypes: true }))
    .filter((entry) => !entry.isDirectory())
    .map((entry) => path.relative(out, path.join(entry.parentPath, entry.name)))
    .sort();

async function expectRefused(code: string): Promise<void> {
  const before = await listFiles();
  await expect(writeReport(out, first)).rejects.toSatisfy(
    (error) => error instanceof AppError && error.exit === 2 && error.problems[0]?.code === code,
  );
  expect(await listFiles()).toEqual(before);
}

describe('writeReport', () => {
  it('makes the directory, with pages that everybody can read, and nothing else but its list of them', async () => {
    const previous = process.umask(0o077);
    try {
      expect(await writeReport(out, first)).toEqual({ written: [...first.keys()], removed: [] });
    } finally {
      process.umask(previous);
    }
    expect(await listFiles()).toEqual(['condense-report.json', ...[...first.keys()].toSorted()]);
    for (const name of ['.', 'releases/a-1']) expect((await stat(path.join(out, name))).mode & 0o777).toBe(0o755);
    expect((await stat(path.join(out, 'index.html'))).mode & 0o777).toBe(0o644);
  });

  it('writes only what is other than before, removes what is gone, and leaves the files of others', async () => {
    await writeReport(out, first);
    await writeFile(path.join(out, 'robots.txt'), 'mine');
    const before = await stat(path.join(out, 'index.html'));
    const next = new Map([
      ['releases/a-1/two.html', 'two'],
      ['environments/a.html', 'changed'],
      ['index.html', first.get('index.html') ?? ''],
    ]);

    expect(await planReportChange(out, next)).toEqual(await writeReport(out, next));

    expect(await readFile(path.join(out, 'environments/a.html'), 'utf8')).toBe('changed');
    expect((await stat(path.join(out, 'index.html'))).ino).toBe(before.ino);
    expect(await listFiles()).toEqual([
      'condense-report.json',
      'environments/a.html',
      'index.html',
      'releases/a-1/two.html',
      'robots.txt',
    ]);
    expect(await writeReport(out, next)).toEqual({ written: [], removed: [] });
  });

  it('goes on where a killed run has left scratch', async () => {
    await mkdir(path.join(out, '.condense-new'), { recursive: true });
    await writeFile(path.join(out, '.condense-new/0'), 'half');
    await writeFile(path.join(out, '.condense-report.json.abc.tmp'), 'half');
    await writeReport(out, first);
    expect(await listFiles()).toEqual(['condense-report.json', ...[...first.keys()].toSorted()]);
  });

  it('refuses a directory with files of others, and a list of files that leads out of it', async () => {
    await mkdir(out, { recursive: true });
    await writeFile(path.join(out, 'thesis.tex'), '');
    await expectRefused('REPORT_NOT_OURS');
    await writeFile(path.join(out, 'condense-report.json'), '{"reportVersion":1,"files":["releases/../../../x.html"]}');
    await expectRefused('REPORT_INVALID');
  });

  it('writes and removes nothing through a link that somebody put into the report', async () => {
    await writeReport(out, first);
    const elsewhere = path.join(dir, 'elsewhere');
    await mkdir(path.join(elsewhere, 'a-1'), { recursive: true });
    await writeFile(path.join(elsewhere, 'a-1/one.html'), 'precious');
    await rm(path.join(out, 'releases'), { recursive: true });
    await symlink(elsewhere, path.join(out, 'releases'));

    await expectRefused('REPORT_INVALID');
    await expect(writeReport(out, pages('index.html'))).rejects.toThrow('is no directory');

    expect(await readdir(path.join(elsewhere, 'a-1'))).toEqual(['one.html']);
    expect(await readFile(path.join(elsewhere, 'a-1/one.html'), 'utf8')).toBe('precious');
  });
});

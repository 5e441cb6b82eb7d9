// Pip sections that name files and directories of this machine.
import { mkdir, mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { digestPipInputs, readPipSection, type PipSection } from '../../../src/pip/pip-section.ts';
import { makeWheel } from '../../pip/distributions.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(path.join(os.tmpdir(), 'condense-pip-'));
  await mkdir(path.join(dir, 'links'));
});
afterEach(async () => {
  await rm(dir, { recursive: true });
});

const section = (...lines: readonly string[]): Promise<PipSection> => {
  const placed = lines.map((text, index) => ({ text, at: `environment.yml:${index + 5}:7` }));
  return readPipSection(placed, path.join(dir, 'environment.yml'));
};

it.each([
  ['-r missing.txt', /there is no .*missing\.txt/],
  ['-r loop.txt', /leads to itself/],
  ['-r bad.txt', /bad\.txt:2:1/],
  ['./missing', /there is no/],
  ['./links', /neither pyproject\.toml nor setup\.py/],
  ['-f missing', /is no directory/],
])('are refused where they name what is not there: %s', async (line, words) => {
  await writeFile(path.join(dir, 'loop.txt'), '-r loop.txt\n');
  await writeFile(path.join(dir, 'bad.txt'), 'foo\n--nonsense\n');
  await writeFile(path.join(dir, 'links/readme'), '');

  await expect(section(line)).rejects.toMatchObject({
    problems: [{ code: 'PIP_LINE_INVALID' }],
    message: expect.stringMatching(words) as string,
  });
});

it.each([
  ['a directory of links', ['--no-index', '-f links', 'linked']],
  ['the section itself', ['./links/linked-1.0-py3-none-any.whl']],
])('are others when a wheel in %s was rebuilt under its name, with its size and its time', async (_, lines) => {
  const { bytes, fileName } = await makeWheel({ name: 'linked', version: '1.0', files: { 'linked.py': '' } });
  const file = path.join(dir, 'links', fileName);
  const digestOf = async (content: Buffer): Promise<string> => {
    await writeFile(file, content);
    await utimes(file, 1e9, 1e9);
    return digestPipInputs(await section(...lines), [], 'linux-64');
  };
  const rebuilt = Buffer.from(bytes);
  rebuilt.writeUInt8(rebuilt.readUInt8(10) ^ 1, 10);

  const first = await digestOf(bytes);

  expect(await digestOf(rebuilt)).not.toBe(first);
  expect(await digestOf(bytes)).toBe(first);
});

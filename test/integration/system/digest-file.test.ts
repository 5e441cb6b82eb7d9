// Digests of files of every length against the pieces that they are read in.
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { digestFile, digestRegularFile } from '../../../src/system/files.ts';

const MIB = 1 << 20;
let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(path.join(os.tmpdir(), 'condense-digest-'));
});
afterAll(() => rm(dir, { recursive: true }));

it.each([0, 1, MIB - 1, MIB, MIB + 1, 2 * MIB, 3 * MIB + 7])('digests all of %i bytes, each once', async (length) => {
  const [file, bytes] = [path.join(dir, String(length)), randomBytes(length)];
  await writeFile(file, bytes);
  const digest = (algorithm: string): string => createHash(algorithm).update(bytes).digest('hex');
  const told: number[] = [];

  expect(await digestFile(file)).toBe(digest('sha256'));
  expect(await digestFile(file, 'md5')).toBe(digest('md5'));
  expect(await digestRegularFile(file, { onBytes: (count) => told.push(count) })).toBe(digest('sha256'));
  expect(told.at(-1) ?? 0).toBe(length);
  expect(told).toEqual(told.toSorted((a, b) => a - b));
});

it('digests a file that says it has no length', async () => {
  const bytes = '/proc/self/status';
  expect(await digestFile(bytes)).toMatch(/^[0-9a-f]{64}$/);
  expect(await digestFile(bytes)).not.toBe(createHash('sha256').digest('hex'));
});

it('ends when it is interrupted, and follows no link where it must not', async () => {
  const [file, link] = [path.join(dir, 'file'), path.join(dir, 'link')];
  await writeFile(file, randomBytes(3 * MIB));
  await symlink('file', link);
  const stop = new AbortController();
  const interrupted = digestRegularFile(file, {
    signal: stop.signal,
    onBytes: () => {
      stop.abort();
    },
  });

  await expect(interrupted).rejects.toThrow('aborted');
  await expect(digestRegularFile(link)).rejects.toMatchObject({ code: 'ELOOP' });
});

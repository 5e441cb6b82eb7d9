import { chmod, mkdtemp, rm, stat } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { checkBuilder, checkOwner } from '../../src/site/permissions.ts';
import { appendLine, makeSharedDir } from '../../src/system/files.ts';
import { makeConfig, makeLayout } from '../unit/make-layout.ts';

let dir: string;
let umask: number;
beforeEach(async () => {
  umask = process.umask(0o077);
  dir = await mkdtemp(path.join(os.tmpdir(), 'condense-directories-'));
});
afterEach(async () => {
  process.umask(umask);
  await rm(dir, { recursive: true, force: true });
});
const modeOf = async (file: string): Promise<number> => (await stat(file)).mode & 0o7777;

it('lets several administrators write where their group may, whatever the umask', async () => {
  await chmod(dir, 0o2775);

  await makeSharedDir(path.join(dir, 'locks/deep'));
  await appendLine(path.join(dir, 'journal.ndjson'), '{}');

  expect(await modeOf(path.join(dir, 'locks'))).toBe(0o2775);
  expect(await modeOf(path.join(dir, 'locks/deep'))).toBe(0o2775);
  expect(await modeOf(path.join(dir, 'journal.ndjson'))).toBe(0o664);
});

it('lets nobody else write where only the owner may', async () => {
  await chmod(dir, 0o755);

  await makeSharedDir(path.join(dir, 'locks'));
  await appendLine(path.join(dir, 'journal.ndjson'), '{}');

  expect(await modeOf(path.join(dir, 'locks'))).toBe(0o755);
  expect(await modeOf(path.join(dir, 'journal.ndjson'))).toBe(0o644);
});

it.each([
  ['owners', checkOwner],
  ['users', checkBuilder],
] as const)('refuses a %s group that this machine does not have, before anything is written', async (role, check) => {
  const config = makeConfig(dir, { groups: { [role]: 'no-such-group' } });

  await expect(check(config, makeLayout(dir))).rejects.toMatchObject({
    exit: 4,
    problems: [{ code: 'GROUP_MISSING' }],
  });
});

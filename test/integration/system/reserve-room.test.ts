// On real file systems, mounted for it: a small one, and one that cannot reserve.
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { probeReservations } from '../../../src/system/reserve-room.ts';
import { asRoot } from '../../as-root.ts';

let dir: string;
const at = (name: string): string => path.join(dir, name);
beforeAll(async () => {
  dir = await mkdtemp(path.join(os.tmpdir(), 'condense-room-'));
  await mkdir(at('small'));
  await mkdir(at('ramfs'));
  await execa(...asRoot('mount', '-t', 'tmpfs', '-o', 'mode=0777,size=1m', 'none', at('small')));
  await execa(...asRoot('mount', '-t', 'ramfs', '-o', 'mode=0777', 'none', at('ramfs')));
});
afterAll(async () => {
  for (const name of ['small', 'ramfs']) await execa(...asRoot('umount', at(name)));
  await rm(dir, { recursive: true });
});

it('says which of several does not go, all of them together, and leaves nothing', async () => {
  const half = { dir: at('small'), bytes: 600_000 };

  expect(await probeReservations([half])).toEqual([undefined]);
  expect(await probeReservations([half, { dir, bytes: 600_000 }, half])).toEqual([undefined, undefined, 'space']);
  expect((await readdir(dir, { recursive: true })).sort()).toEqual(['ramfs', 'small']);
  expect(await probeReservations([half])).toEqual([undefined]);
});

it('asks the file system on which a directory will be made', async () => {
  expect(await probeReservations([{ dir: at('small/a/b'), bytes: 2_000_000 }])).toEqual(['space']);
});

it('refuses nothing where nothing can be reserved', async () => {
  expect(await probeReservations([{ dir: at('ramfs'), bytes: 1 << 20 }])).toEqual([undefined]);
  expect(await readdir(at('ramfs'))).toEqual([]);
});

// Lmod's cache of what there is, made by Lmod's own programs of the tree of a published site.
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeEntry } from '../../../src/release/journal.ts';
import { publishFace } from '../../../src/release/publish.ts';
import { makeFace } from '../../unit/release/make-face.ts';
import { MadeSite } from '../release/made-site.ts';

const LMOD = '/opt/lmod/share/lmod/lmod';
let site: MadeSite;
let dir: string;
beforeAll(async () => {
  site = await MadeSite.make();
  dir = await mkdtemp(path.join(os.tmpdir(), 'condense-spider-'));
  const { id } = await site.addRelease({ python: '3.11.7' });
  await publishFace(site.layout, makeFace({ 'a-1': id }, { a: 'a-1' }), describeEntry('publish', 'a-1'));
});
afterAll(async () => {
  await site.remove();
  await rm(dir, { recursive: true });
});

/** What users are told, with that LMOD_RC; standard error is where Lmod writes it. */
const ask = async (command: string, rc: string): Promise<string> =>
  (
    await execa(
      'bash',
      ['--norc', '-c', `. ${LMOD}/init/bash; module use ${site.layout.publicModuleRoot}; ${command}`],
      {
        ...{ env: { PATH: '/usr/bin:/bin', HOME: dir, LMOD_RC: rc }, extendEnv: false, timeout: 60_000, all: true },
      },
    )
  ).all;

it('has every version and alias of the site, with its words, also where only the cache is asked', async () => {
  const cache = path.join(dir, 'cache');
  const stamp = path.join(dir, 'stamp');
  await mkdir(cache);
  const update = [
    `${LMOD}/libexec/update_lmod_system_cache_files`,
    '-d',
    cache,
    '-t',
    stamp,
    site.layout.publicModuleRoot,
  ];
  await execa('bash', update, {
    env: { LMOD_CMD: `${LMOD}/libexec/lmod`, LMOD_DIR: `${LMOD}/libexec` },
    timeout: 60_000,
  });
  const rc = path.join(dir, 'rc.lua');
  await writeFile(rc, `scDescriptT = { { dir = "${cache}", timestamp = "${stamp}" } }\n`);

  const cached = await readFile(path.join(cache, 'spiderT.lua'), 'utf8');
  expect(cached).toContain('conda/a-1');
  const spider = await ask('module spider conda/a', rc);
  expect(spider).toBe(await ask('module spider conda/a', path.join(dir, 'none.lua')));
  expect(spider).toContain('conda/a-1');
  // What is published later is seen by those who load, and not by those who ask the cache.
  const later = await site.addRelease({ fullName: 'b-1' });
  const { id } = later;
  await publishFace(site.layout, makeFace({ 'b-1': id }, { b: 'b-1' }), describeEntry('publish', 'b-1'));
  expect(await ask('module keyword release', rc)).toContain('conda/a-1');
  expect(await ask('module -t avail conda', rc)).toContain('conda/b-1');
});

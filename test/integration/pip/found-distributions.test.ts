// What pip had installed, read from its metadata on a real file system.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { findDistributions } from '../../../src/pip/found-distributions.ts';

const SITE = 'lib/python3.11/site-packages';

it('makes a line of each distribution that no conda package brings, and names those that cannot be had again', async () => {
  const prefix = await mkdtemp(path.join(os.tmpdir(), 'condense-found-'));
  onTestFinished(() => rm(prefix, { recursive: true }));
  const write = async (name: string, files: Readonly<Record<string, string>>): Promise<void> => {
    const dir = path.join(prefix, SITE, `${name}.dist-info`);
    await mkdir(dir, { recursive: true });
    for (const [file, text] of Object.entries(files)) await writeFile(path.join(dir, file), text);
  };
  const metadata = (name: string): string => `Metadata-Version: 2.1\nName: ${name}\nVersion: 1.0\n\nVersion: 9\n`;
  await write('plain-1.0', { METADATA: metadata('plain'), RECORD: 'plain.py,,\n../../../bin/plain,,\n' });
  await write('git-1.0', {
    METADATA: metadata('git'),
    'direct_url.json': `{"url":"https://h/r","vcs_info":{"vcs":"git","commit_id":"${'a'.repeat(40)}"}}`,
  });
  await write('wheel-1.0', {
    METADATA: metadata('wheel'),
    'direct_url.json': '{"url":"https://h/w.whl","archive_info":{}}',
  });
  await write('local-1.0', {
    METADATA: metadata('local'),
    'direct_url.json': '{"url":"file:///home/x","dir_info":{}}',
  });
  await write('odd-1.0', { METADATA: metadata('odd'), 'direct_url.json': 'null' });
  await write('option-1.0', { METADATA: metadata('--index-url=http://evil/') });
  await write('torn-1.0', { METADATA: metadata('torn'), 'direct_url.json': '{' });
  await write('nameless-1.0', { METADATA: '' });
  await write('conda-1.0', { METADATA: metadata('conda') });

  const found = await findDistributions(prefix, new Map([[`${SITE}/conda-1.0.dist-info/METADATA`, undefined]]));

  expect(found.lines).toEqual([`git @ git+https://h/r@${'a'.repeat(40)}`, 'plain==1.0', 'wheel @ https://h/w.whl']);
  expect([...found.files]).toEqual([`${SITE}/plain.py`, 'bin/plain']);
  expect(found.lost.map((text) => text.split(' ')[0])).toEqual([
    `${SITE}/nameless-1.0.dist-info`,
    `${SITE}/option-1.0.dist-info`,
    ...['local', 'odd', 'torn'],
  ]);
});

// What we read of ELF files and where we find libraries, against binutils and the dynamic loader of this machine.
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ContainerView } from '../../../src/site/container-view.ts';
import { LibrarySearch } from '../../../src/site/library-search.ts';
import { readLoaderCache } from '../../../src/site/loader-cache.ts';
import { parseElf, type ElfFacts } from '../../../src/system/elf-file.ts';
import { readPieces } from '../../../src/system/host-files.ts';
import { makeObjects } from '../build/made-libraries.ts';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(path.join(os.tmpdir(), 'condense-libraries-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const readElf = (file: string): ElfFacts | undefined => {
  const elf = readPieces(file, parseElf);
  return typeof elf === 'string' ? undefined : elf;
};

/** What `readelf -d` says of each file: needed, soname, rpath, runpath. */
async function askReadelf(files: readonly string[]): Promise<Map<string, unknown>> {
  const { stdout } = await execa('readelf', ['-d', '-W', ...files], {
    timeout: 60_000,
    reject: false,
    env: { LC_ALL: 'C' },
  });
  const answers = new Map<string, unknown>();
  for (const part of stdout.split(/^File: /m).slice(1)) {
    const values = (tag: string): string[] =>
      [...part.matchAll(new RegExp(`\\(${tag}\\) .*\\[(.*)\\]`, 'g'))].map(([, value = '']) => value);
    const list = (tag: string): string[] => values(tag).flatMap((text) => text.split(':').filter((one) => one !== ''));
    answers.set(part.slice(0, part.indexOf('\n')), {
      needed: values('NEEDED'),
      soname: values('SONAME')[0],
      rpath: list('RPATH'),
      runpath: list('RUNPATH'),
    });
  }
  return answers;
}

describe('parseElf', () => {
  it('reads of every library and program of this machine what readelf does', async () => {
    const files: string[] = [];
    for (const from of ['/usr/bin', '/usr/lib/x86_64-linux-gnu', '/opt/apptainer/bin'])
      for (const entry of await readdir(from, { withFileTypes: true }).catch(() => []))
        if (entry.isFile() && readElf(path.join(from, entry.name))) files.push(path.join(from, entry.name));

    const answers = await askReadelf(files);

    expect(files.length).toBeGreaterThan(200);
    for (const file of files) {
      const { needed, soname, rpath, runpath } = readElf(file) ?? {};
      expect({ file, needed, soname, rpath, runpath }).toEqual({ file, ...(answers.get(file) as object) });
    }
  });
});

describe('LibrarySearch', () => {
  /** Everything of this machine, and no image. */
  const search = (): LibrarySearch =>
    new LibrarySearch(
      new ContainerView({ prefixInside: '/opt/conda/a-1', tree: new Map(), binds: ['/usr', '/etc', dir] }),
      readLoaderCache(),
      ({ path: file }) => readElf(file),
      [],
    );

  /** `libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x...)`, of trusted programs only: the loader runs. */
  async function askLoader(program: string): Promise<Map<string, string>> {
    const { stdout } = await execa('ldd', [program], { timeout: 60_000 });
    return new Map([...stdout.matchAll(/^\s(\S+) => (\S+) \(/gm)].map(([, name = '', file = '']) => [name, file]));
  }

  it('finds what the dynamic loader of this machine does', async () => {
    const programs = ['/usr/bin/bash', '/usr/bin/python3.11', '/usr/bin/ssh', '/usr/bin/patchelf', '/usr/bin/strace'];

    for (const program of programs) {
      const elf = readElf(program);
      const answers = await askLoader(program);
      for (const soname of elf?.needed ?? []) {
        const found = elf && search().find({ path: program, elf }, soname);
        const real = await execa('realpath', [answers.get(soname) ?? ''], { timeout: 10_000 });
        expect([program, soname, found?.path]).toEqual([program, soname, real.stdout]);
      }
    }
  });

  it('takes $ORIGIN for the directory by which a library was found, as the loader does, not for where its links lead', async () => {
    await makeObjects(dir, [
      { path: 'far/libb.so' },
      { path: 'far/liba.so', needs: ['far/libb.so'] },
      { path: 'bin/p', program: true, needs: ['far/liba.so'] },
    ]);
    await execa('ln', ['-s', '../far/liba.so', path.join(dir, 'lib-link')], { timeout: 10_000 });
    await execa('mkdir', [path.join(dir, 'lib')], { timeout: 10_000 });
    await execa('mv', [path.join(dir, 'lib-link'), path.join(dir, 'lib/liba.so')], { timeout: 10_000 });
    const liba = path.join(dir, 'lib/liba.so');
    const elf = readElf(liba);
    if (!elf) throw new Error('gcc made no library');

    const found = search().find({ path: liba, elf }, 'libb.so');
    const { stdout } = await execa('ldd', [path.join(dir, 'bin/p')], { timeout: 10_000, reject: false });

    expect(found).toBeUndefined();
    expect(stdout).toMatch(/libb\.so => not found/);
  });
});

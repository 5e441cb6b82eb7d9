// Bytecode on a disk that is full: compiling is no step that may be left out.
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { writeBytecode } from '../../src/conda/bytecode.ts';
import { runCommand } from '../../src/system/run-command.ts';
import { asRoot } from '../as-root.ts';

let prefix: string;

beforeEach(async () => {
  prefix = await mkdtemp(path.join(os.tmpdir(), 'condense-full-'));
  const owner = `uid=${process.getuid?.() ?? 0}`;
  await execa(...asRoot('mount', '-t', 'tmpfs', '-o', `nr_inodes=7,${owner}`, 'none', prefix));
});
afterEach(async () => {
  await execa(...asRoot('umount', prefix));
  await rm(prefix, { recursive: true });
});

it('says that bytecode has no room, instead of leaving it out', async () => {
  await mkdir(path.join(prefix, 'bin'));
  await symlink('/usr/bin/python3', path.join(prefix, 'bin/python3'));
  const sources = ['a.py', 'b.py'];
  for (const name of sources) await writeFile(path.join(prefix, name), 'x = 1\n');

  const compiling = writeBytecode({
    sources,
    prefixInside: prefix,
    interpreter: 'bin/python3',
    runInside: (command) => runCommand({ ...command, writesTo: prefix }),
  });

  const hint = `df -i ${prefix}; make room there, then run the command again`;
  await expect(compiling).rejects.toMatchObject({ exit: 5, problems: [{ code: 'DISK_FULL', at: prefix, hint }] });
});

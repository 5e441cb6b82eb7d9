import { mkdir, mkdtemp, realpath, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { completeBytecode } from '../../../src/build/bytecode.ts';
import { runCommand } from '../../../src/system/run-command.ts';

let prefix: string;
let library: string;
let notes: string[];
beforeEach(async () => {
  prefix = await realpath(await mkdtemp(path.join(os.tmpdir(), 'condense-bytecode-')));
  library = path.join(prefix, 'lib/python3.11');
  await mkdir(path.join(prefix, 'bin'), { recursive: true });
  await mkdir(path.join(library, 'encodings'), { recursive: true });
  await symlink('/usr/bin/python3', path.join(prefix, 'bin/python3'));
  notes = [];
});
afterEach(async () => {
  await rm(prefix, { recursive: true, force: true });
});

/** The host's own python, made to believe that its library is in the prefix: the counting program looks nowhere else. */
const complete = () =>
  completeBytecode({
    prefixOnDisk: prefix,
    prefixInside: prefix,
    runInside: async ({ args, ...command }) => {
      const code = args.at(-1) ?? '';
      const own = code.replace('os.path.dirname(os.__file__)', JSON.stringify(library));
      return await runCommand({ ...command, args: [...args.slice(0, -1), own] });
    },
    report: (event) => {
      if (event.type === 'note') notes.push(event.text);
    },
  });

const compile = (mode: string, file: string) =>
  execa('python3', ['-m', 'compileall', '-q', '--invalidation-mode', mode, path.join(library, file)]);

it('compiles what has no bytecode or an outdated one, and counts what cannot be compiled', async () => {
  const sources = {
    good: 'a = 1',
    hashed: 'a = 2',
    checked: 'a = 3',
    stale: 'a = 4',
    none: 'a = 5',
    broken: 'a = = 6',
  };
  for (const [name, text] of Object.entries(sources)) {
    await writeFile(path.join(library, `${name}.py`), text);
    await utimes(path.join(library, `${name}.py`), 1000, 1000);
  }
  await compile('timestamp', 'good.py');
  await compile('unchecked-hash', 'hashed.py');
  await compile('checked-hash', 'checked.py');
  await compile('timestamp', 'stale.py');
  await utimes(path.join(library, 'stale.py'), 2000, 2000);

  expect(await complete()).toEqual({ valid: 5, compiled: 3, uncompiled: 1 });
  expect(notes).toEqual(['compiled 3 Python sources that came without valid bytecode']);
  const tag = (await execa('python3', ['-c', 'import sys; print(sys.implementation.cache_tag)'])).stdout;
  expect((await stat(path.join(library, `__pycache__/none.${tag}.pyc`))).mtimeMs).toBe(1_000_000);
  expect(await complete()).toEqual({ valid: 5, compiled: 0, uncompiled: 1 });
  expect(notes).toHaveLength(1);
});

it('has nothing to do without python', async () => {
  await rm(path.join(prefix, 'bin/python3'));

  expect(await complete()).toBeUndefined();
});

import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { traceOrder } from '../../../src/build/order.ts';
import { runCommand } from '../../../src/system/run-command.ts';

let prefix: string;
let notes: string[];
beforeEach(async () => {
  prefix = await realpath(await mkdtemp(path.join(os.tmpdir(), 'condense-order-')));
  await mkdir(path.join(prefix, 'bin'));
  await symlink('/usr/bin/python3', path.join(prefix, 'bin/python3'));
  notes = [];
});
afterEach(async () => {
  await rm(prefix, { recursive: true, force: true });
});

/** Python modules in the prefix, found by name. */
async function writeModules(files: Readonly<Record<string, string>>): Promise<void> {
  for (const [file, text] of Object.entries(files)) await writeFile(path.join(prefix, file), text);
}

/** The host's own python stands for that of the environment, the host for the container. */
const trace = (imports: readonly string[] | undefined): Promise<readonly string[]> =>
  traceOrder({
    prefixOnDisk: prefix,
    prefixInside: prefix,
    imports,
    runInside: (command) => runCommand({ ...command, env: { ...command.env, PYTHONPATH: prefix } }),
    report: (event) => {
      if (event.type === 'note') notes.push(event.text);
    },
  });

it('lists what imports open in the order of first use, data and targets of links included', async () => {
  await writeModules({
    'zeta.py': `import alpha, os\nopen(os.path.join(os.path.dirname(__file__), 'table.txt')).read()\nimport json`,
    'alpha.py': `print('to stdout')`,
    'omega.py': `import alpha`,
    'real.txt': 'x',
    'unused.py': '',
  });
  await symlink('real.txt', path.join(prefix, 'table.txt'));

  expect(await trace(['zeta', 'omega'])).toEqual(['zeta.py', 'alpha.py', 'real.txt', 'omega.py']);
});

it('gives the same order however threads take turns', async () => {
  const names = Array.from({ length: 20 }, (_, index) => `data${index}`);
  await writeModules({
    ...Object.fromEntries(names.map((name) => [name, name])),
    'threads.py': [
      'import os, threading',
      'here = os.path.dirname(__file__)',
      'def read(name): open(os.path.join(here, name)).close()',
      `names = ['data%d' % n for n in range(20)]; __import__('random').shuffle(names)`,
      'threads = [threading.Thread(target=read, args=(name,)) for name in names]',
      'for thread in threads: thread.start()',
      'for thread in threads: thread.join()',
    ].join('\n'),
  });

  expect(await trace(['threads'])).toEqual(['threads.py', ...names.toSorted()]);
});

it('goes on after an import that fails or ends python, and notes it: judging it is up to the gate', async () => {
  await writeModules({ 'broken.py': `raise ValueError('no')`, 'ends.py': 'raise SystemExit(3)', 'fine.py': '' });

  expect(await trace(['broken', 'ends', 'missing', 'fine'])).toEqual(['broken.py', 'ends.py', 'fine.py']);
  expect(notes.join()).toMatch(/broken: ValueError.*ends: SystemExit.*missing: ModuleNotFound/);
});

it('gives no order, and a note, when an import kills python', async () => {
  await writeModules({ 'crash.py': 'import os; os.abort()' });

  expect(await trace(['crash'])).toEqual([]);
  expect(notes.join()).toMatch(/^files are not ordered: .*SIGABRT/);
});

it('gives no order where none is asked for, or there is no python', async () => {
  expect(await trace(undefined)).toEqual([]);
  await rm(path.join(prefix, 'bin/python3'));
  expect(await trace(['zeta'])).toEqual([]);
  expect(notes).toEqual([]);
});

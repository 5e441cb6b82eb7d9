// What condense has started, after condense itself is killed.
import { access } from 'node:fs/promises';
import path from 'node:path';
import { execa } from 'execa';
import { expect, it, vi } from 'vitest';

const runCommandFile = path.resolve(import.meta.dirname, '../../src/system/run-command.ts');

it('leaves no program at work when it is killed', async () => {
  const code = `import { runCommand } from ${JSON.stringify(runCommandFile)};
    await runCommand({ program: 'sh', args: ['-c', 'echo $$; exec sleep 1000'], onLine: (line) => console.log(line) });`;
  const child = execa(process.execPath, ['--input-type=module', '-e', code], { reject: false });
  const pid = await new Promise<string>((resolve) =>
    child.stdout.once('data', (data) => {
      resolve(String(data).trim());
    }),
  );
  await access(`/proc/${pid}`);

  child.kill('SIGKILL');
  await child;

  await vi.waitFor(async () => expect(access(`/proc/${pid}`)).rejects.toMatchObject({ code: 'ENOENT' }), 60_000);
});

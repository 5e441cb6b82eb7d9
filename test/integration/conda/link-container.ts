// A real container around a prefix, for what an installation has to run: a bare base, the node's own system bound.
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { RunInside } from '../../../src/conda/installer.ts';
import { minimalEnvironment, runCommand } from '../../../src/system/run-command.ts';

const definition = `Bootstrap: scratch
%setup
  cd "$APPTAINER_ROOTFS"
  mkdir -p etc usr var run tmp proc sys dev opt/conda/analysis3-26.11
  for name in bin lib lib64 sbin; do ln -s "usr/$name" "$name"; done
`;

/** Builds the base (a moment's work) below `dir`; `prefixOnDisk` is seen at `prefixInside`. @param binds more of them */
export async function startableContainer(
  dir: string,
  prefixOnDisk: string,
  prefixInside: string,
  binds: readonly string[] = [],
): Promise<RunInside> {
  const base = path.join(dir, 'base.sif');
  await mkdir(dir, { recursive: true });
  await writeFile(`${base}.def`, definition);
  await runCommand({ program: 'apptainer', args: ['--silent', 'build', base, `${base}.def`] });
  return async ({ program, args, env = {}, input, timeoutMs, okExitCodes }) =>
    await runCommand({
      program: 'apptainer',
      args: [
        '--silent',
        'exec',
        '--cleanenv',
        '--contain',
        '--bind',
        ['/etc,/usr,/var,/run', ...binds, `${prefixOnDisk}:${prefixInside}`].join(','),
        '--pwd',
        '/',
        base,
        '/usr/bin/env',
        '-i',
        ...Object.entries(env).map(([name, value]) => `${name}=${value}`),
        program,
        ...args,
      ],
      env: minimalEnvironment(),
      input,
      timeoutMs,
      okExitCodes,
    });
}

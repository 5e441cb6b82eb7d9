// Counts what a command asks of the file system that the store is on: calls that name a path below the prefix, by strace.
import { execa } from 'execa';
import type { Layout } from '../src/site/layout.ts';
import { renderTable } from './measure-build.ts';
import { asOrdinaryUser } from './ordinary-user.ts';

interface Measured {
  readonly python: string;
  readonly plain: readonly string[];
  readonly facts: { readonly condaPrefix: string };
  readonly release: { readonly launcher: string };
}

export async function countOperations(home: string, layout: Layout, bench: Measured): Promise<string> {
  const pass = ['-c', 'pass'];
  const ways: readonly (readonly [string, readonly string[]])[] = [
    ['`python3` in a session', [bench.python, ...pass]],
    ['`python3` in a container of its own', ['/usr/bin/env', 'CONDENSE_SESSION=off', bench.python, ...pass]],
    ['the bare line of the runtime', [...bench.plain, `${bench.facts.condaPrefix}/bin/python3`, ...pass]],
    ['`launcher python3`, by the planner', [bench.release.launcher, 'python3', ...pass]],
  ];
  const rows = [];
  for (const [title, words] of ways) {
    const counts = countCalls(await trace(home, words), layout.store);
    rows.push([title, counts.lookups, counts.opens, counts.missing, counts.processes]);
  }
  return renderTable(
    ['calls that name a path of the store', 'look-ups', 'opens and execs', 'not there', 'forks'],
    rows,
  );
}

async function trace(home: string, words: readonly string[]): Promise<string> {
  const [program = '', ...args] = asOrdinaryUser(['strace', '-f', '-q', '-e', 'trace=file,process', '--', ...words]);
  const { stderr } = await execa(program, args, {
    cwd: home,
    reject: false,
    extendEnv: false,
    env: { HOME: home, PATH: '/usr/local/bin:/usr/bin:/bin', LANG: 'C.UTF-8' },
  });
  return stderr;
}

interface Counts {
  readonly lookups: number;
  readonly opens: number;
  readonly missing: number;
  readonly processes: number;
}

/** @param text what strace says with -f and trace=file,process */
export function countCalls(text: string, store: string): Counts {
  const lines = text.split('\n').filter((line) => !line.includes(' resumed>'));
  const named = lines.filter((line) => line.includes(`"${store}/`));
  const isOpen = (line: string): boolean => /^(?:\[pid +\d+\] )?(?:open|openat|execve)\(/.test(line);
  return {
    lookups: named.filter((line) => !isOpen(line)).length,
    opens: named.filter(isOpen).length,
    missing: named.filter((line) => line.includes(' ENOENT ')).length,
    processes: lines.filter((line) => /^(?:\[pid +\d+\] )?(?:clone|clone3|fork|vfork)\(.*= \d+$/.test(line)).length,
  };
}

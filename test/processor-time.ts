// How much processor time a test file takes, with all processes that it started and that have ended: for ci/slowest-files.ts.
import { readFileSync } from 'node:fs';
import { afterAll } from 'vitest';

declare module 'vitest' {
  interface TaskMeta {
    processorSeconds?: number;
  }
}

/** utime, stime, cutime and cstime of proc_pid_stat(5), in ticks of which Linux shows every program 100 a second. */
function readProcessorSeconds(): number {
  const text = readFileSync('/proc/self/stat', 'utf8');
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) / 100;
}

const before = readProcessorSeconds();
// Hooks of set-up files end last. vitest wants its first argument taken apart, even where nothing of it is wanted.
afterAll(({}, file) => {
  file.meta.processorSeconds = readProcessorSeconds() - before;
});

// Processes that are known by a variable of their environment, whatever group or session they have made themselves.
import { readdirSync, readFileSync } from 'node:fs';

/**
 * Kills every process of this account that was started with a variable: those too that made themselves a session of
 * their own. One that has written over its environment is not found.
 * @param marker `NAME=value`, or what it begins with
 * @returns how many there were
 */
export function killMarked(marker: string): number {
  const wanted = Buffer.from(`\0${marker}`);
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
  const marked = pids.map(Number).filter((pid) => readEnvironment(pid).includes(wanted));
  for (const pid of marked) killIfThere(pid, 'SIGKILL');
  return marked.length;
}

/** Each variable after a NUL; nothing where the process is gone, a zombie, or somebody else's (proc(5)). */
function readEnvironment(pid: number): Buffer {
  try {
    return Buffer.concat([Buffer.from('\0'), readFileSync(`/proc/${pid}/environ`)]);
  } catch (error) {
    if (['ENOENT', 'ESRCH', 'EACCES', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? ''))
      return Buffer.alloc(0);
    throw error;
  }
}

/** @param pid negative: a process group (kill(2)) */
export function killIfThere(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

// Which process something belongs to, so that another one can tell whether it is still at work: no clock can.
import { createHash } from 'node:crypto';
import os from 'node:os';
import { readFile } from 'node:fs/promises';

/**
 * The boot's id and the start time in clock ticks after it (proc_sys_kernel(5), proc_pid_stat(5) field 22).
 * The command name may hold blanks and brackets, so fields are counted from the last `)`.
 * @returns undefined when there is no such process
 */
export async function readStartTime(pid: number): Promise<string | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch((error: unknown) => {
    // ESRCH: it ended between open and read.
    if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  });
  const ticks = stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  return ticks === undefined
    ? undefined
    : `${(await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim()} ${ticks}`;
}

/** `<host>-<pid>-<start>` of this process, for names of files: the first and the last are digests. */
export async function readProcessTag(): Promise<string> {
  return `${short(os.hostname())}-${process.pid}-${short((await readStartTime(process.pid)) ?? '')}`;
}

/** Whether the process of a tag is gone; undefined where nobody here can tell, since it is another host's. */
export async function isGone(tag: string): Promise<boolean | undefined> {
  const [host, pid, started] = tag.split('-');
  if (host !== short(os.hostname())) return undefined;
  return short((await readStartTime(Number(pid))) ?? '') !== started;
}

const short = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 8);

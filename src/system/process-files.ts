// Which processes of this machine use files below a directory, as far as this account may look (proc(5)).
import { readdir, readFile, readlink, stat } from 'node:fs/promises';
import path from 'node:path';

interface ProcessUse {
  readonly pid: number;
  /** Below the root, relative to it. */
  readonly file: string;
  /** How it is seen: the process has it open, names it, or it is mounted. */
  readonly how: string;
}

export interface ProcessUses {
  readonly uses: readonly ProcessUse[];
  /** Values of the wanted variable, by process. */
  readonly variables: readonly { readonly pid: number; readonly value: string }[];
  /** Processes whose files and variables this account may not see. */
  readonly hidden: number;
}

/**
 * Open files, working directories, command lines and one variable of every process, and the images that the kernel has
 * mounted through loop devices. Processes that end meanwhile are passed over.
 * @param files for the files that matter most, `device:inode` to the path below the root: a container may know them by
 *   another name
 */
export async function probeProcesses(
  root: string,
  variable: string,
  files: ReadonlyMap<string, string>,
): Promise<ProcessUses> {
  const uses: ProcessUse[] = [...(await probeLoopDevices(root))];
  const variables: { pid: number; value: string }[] = [];
  let hidden = 0;
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) continue;
    const pid = Number(name);
    const dir = `/proc/${name}`;
    for (const file of findPaths(await lookAt(() => readFile(`${dir}/cmdline`, 'utf8'), ''), root))
      uses.push({ pid, file, how: 'names it' });
    try {
      for (const file of await readOpenFiles(dir, root, files)) uses.push({ pid, file, how: 'has it open' });
      const value = findVariable(await readFile(`${dir}/environ`, 'utf8'), variable);
      if (value !== undefined) variables.push({ pid, value });
    } catch (error) {
      if (isForbidden(error)) hidden++;
      else if (!isGone(error)) throw error;
    }
  }
  return { uses, variables, hidden };
}

async function readOpenFiles(dir: string, root: string, files: ReadonlyMap<string, string>): Promise<string[]> {
  const found = [];
  const links = [`${dir}/cwd`, `${dir}/exe`, ...(await readdir(`${dir}/fd`)).map((fd) => `${dir}/fd/${fd}`)];
  for (const link of links) {
    // Closed meanwhile, or a kernel thread, which has no program.
    const target = await lookAt(() => readlink(link), '');
    const plain = target.replace(/ \(deleted\)$/, '');
    if (plain.startsWith(`${root}/`)) found.push(plain.slice(root.length + 1));
    else if (/\.(sqsh|sif)$/.test(plain)) {
      const at = await lookAt(() => stat(link), undefined);
      const file = at && files.get(`${at.dev}:${at.ino}`);
      if (file !== undefined) found.push(file);
    }
  }
  return found;
}

/** loop(4): sysfs tells everybody which file is behind each. */
async function probeLoopDevices(root: string): Promise<ProcessUse[]> {
  const uses: ProcessUse[] = [];
  for (const name of await lookAt(() => readdir('/sys/block'), [])) {
    if (!name.startsWith('loop')) continue;
    const backing = (
      await lookAt(() => readFile(path.join('/sys/block', name, 'loop/backing_file'), 'utf8'), '')
    ).trimEnd();
    if (backing.startsWith(`${root}/`))
      uses.push({ pid: 0, file: backing.slice(root.length + 1), how: `is mounted through /dev/${name}` });
  }
  return uses;
}

/** The paths below `root` that a text of words names, e.g. `--overlay=<root>/env.sqsh:ro`. */
function findPaths(text: string, root: string): string[] {
  const found = [];
  for (let at = text.indexOf(`${root}/`); at !== -1; at = text.indexOf(`${root}/`, at + 1)) {
    const [rest = ''] = /^[^\0:,\s'"]*/.exec(text.slice(at + root.length + 1)) ?? [];
    found.push(rest);
  }
  return found;
}

function findVariable(environ: string, name: string): string | undefined {
  const entry = environ.split('\0').find((one) => one.startsWith(`${name}=`));
  return entry?.slice(name.length + 1);
}

async function lookAt<T>(look: () => Promise<T>, otherwise: T): Promise<T> {
  try {
    return await look();
  } catch (error) {
    if (isGone(error)) return otherwise;
    throw error;
  }
}

const isGone = (error: unknown): boolean =>
  ['ENOENT', 'ESRCH', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '');
const isForbidden = (error: unknown): boolean =>
  ['EACCES', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '');

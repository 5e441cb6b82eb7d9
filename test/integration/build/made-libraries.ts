// Real libraries and programs, as small as gcc makes them, in a prefix with conda's records.
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { execa } from 'execa';

export interface MadeObject {
  /** Relative to the root. */
  readonly path: string;
  /** Default: its file name. */
  readonly soname?: string;
  /** Other made libraries, by path. */
  readonly needs?: readonly string[];
  /** Default: `$ORIGIN`, and `$ORIGIN/../lib` for programs. */
  readonly rpath?: string;
  readonly program?: true;
}

/** What gcc made already, and the sonames of what is where: most tests want the same libraries. */
const made = new Map<string, Buffer>();
const sonames = new Map<string, string>();

/** Compiles libraries (and programs) below a root, in the order in which they are given. */
export async function makeObjects(root: string, objects: readonly MadeObject[]): Promise<void> {
  for (const { path: at, soname = path.basename(at), needs = [], rpath, program } of objects) {
    const file = path.join(root, at);
    await mkdir(path.dirname(file), { recursive: true });
    sonames.set(file, soname);
    const needed = needs.map((one) => sonames.get(path.join(root, one)) ?? one);
    const key = JSON.stringify([soname, needed, rpath, program]);
    const known = made.get(key);
    if (known) {
      await rm(file, { force: true });
      await writeFile(file, known, { mode: 0o755 });
      continue;
    }
    const source = program ? 'int main(void) { return 0; }' : 'int condense_made = 1;';
    const search = rpath ?? (program ? '$ORIGIN/../lib' : '$ORIGIN');
    await execa(
      'gcc',
      [
        ...['-x', 'c', '-', '-x', 'none', '-o', file],
        ...(program ? [] : ['-shared', '-fPIC', '-nostdlib', `-Wl,-soname,${soname}`]),
        ...['-Wl,--no-as-needed', '-Wl,--allow-shlib-undefined', '-Wl,--unresolved-symbols=ignore-all'],
        ...(search === '' ? [] : [`-Wl,-rpath,${search}`]),
        ...needs.map((one) => path.join(root, one)),
      ],
      { input: source, timeout: 60_000 },
    );
    made.set(key, await readFile(file));
  }
}

/** `conda-meta/<name>-1-0.json` */
export async function writeRecord(
  prefix: string,
  name: string,
  files: readonly string[],
  depends: readonly string[] = [],
): Promise<void> {
  await mkdir(path.join(prefix, 'conda-meta'), { recursive: true });
  const paths = files.map((file) => ({ _path: file }));
  await writeFile(
    path.join(prefix, `conda-meta/${name}-1-0.json`),
    JSON.stringify({ name, version: '1', depends, files, paths_data: { paths, paths_version: 1 } }),
  );
}

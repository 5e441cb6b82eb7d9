// Looking up a program on PATH, as execvp(3) does.
import { access, constants, stat } from 'node:fs/promises';
import path from 'node:path';

/** The absolute path of an executable file, or `undefined`. A name with a slash is only checked. */
export async function findProgram(name: string, searchPath = process.env['PATH'] ?? ''): Promise<string | undefined> {
  const candidates = name.includes('/')
    ? [path.resolve(name)]
    : searchPath.split(':').map((dir) => path.resolve(dir === '' ? '.' : dir, name));
  for (const candidate of candidates) {
    try {
      await access(candidate, constants.X_OK);
      if ((await stat(candidate)).isFile()) return candidate;
    } catch {
      // Not here, or not for us: the next directory may have it.
    }
  }
  return undefined;
}

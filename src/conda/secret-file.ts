// Files of credentials: read, and warned of where others than their owner can read them too.
import { errorMessage } from '../system/app-error.ts';
import { pathExists, readText, stat } from '../system/files.ts';

/** Tells a person, who can mend it. */
export type Warn = (text: string) => void;

/** `undefined` where it is not there, or cannot be read: that is said, without what is in it. */
export async function readSecretFile(file: string, warn: Warn): Promise<string | undefined> {
  if (!(await pathExists(file))) return undefined;
  try {
    const { mode } = await stat(file);
    if ((mode & 0o077) !== 0) {
      const rights = (mode & 0o777).toString(8);
      warn(`${file} holds credentials and has mode ${rights}: others may read or change it. chmod 600 ${file}`);
    }
    return await readText(file);
  } catch (error) {
    warn(`${file} is not used: ${errorMessage(error)}`);
    return undefined;
  }
}

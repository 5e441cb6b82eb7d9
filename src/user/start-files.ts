// The files that shells read when a user logs in, as far as they are the user's own.
import path from 'node:path';
import { readForeignBytes, readForeignPath } from '../system/foreign-files.ts';

/** How a start-up file is written. */
export type StartLanguage = 'sh' | 'csh' | 'fish';

export interface StartFile {
  /** Below the home directory: `.bashrc`. */
  readonly name: string;
  /** Where it really is: a link is left as it is, and what it leads to is changed. */
  readonly file: string;
  readonly language: StartLanguage;
  /** What can check its syntax. */
  readonly shell: 'bash' | 'zsh' | 'tcsh' | 'fish';
  /** One character for each byte, so that whatever encoding it has it can be written back as it was. */
  readonly text: string;
}

/** bash(1), zsh(1), tcsh(1) and fish(1), "files". */
const KNOWN: readonly Pick<StartFile, 'name' | 'language' | 'shell'>[] = [
  ...['.bash_profile', '.bash_login', '.profile', '.bashrc'].map(
    (name) => ({ name, language: 'sh', shell: 'bash' }) as const,
  ),
  ...['.zshenv', '.zprofile', '.zshrc', '.zlogin'].map((name) => ({ name, language: 'sh', shell: 'zsh' }) as const),
  ...['.tcshrc', '.cshrc', '.login'].map((name) => ({ name, language: 'csh', shell: 'tcsh' }) as const),
  { name: '.config/fish/config.fish', language: 'fish', shell: 'fish' },
];

/** Longer ones are no work of a person. */
const MOST_BYTES = 1024 * 1024;

/** Two names of one file are one. */
export async function readStartFiles(home: string): Promise<StartFile[]> {
  const files: StartFile[] = [];
  for (const known of KNOWN) {
    const file = await readForeignPath(path.join(home, known.name));
    if (file === undefined || files.some((other) => other.file === file)) continue;
    const bytes = await readForeignBytes(file, MOST_BYTES);
    if (bytes !== undefined) files.push({ ...known, file, text: bytes.toString('latin1') });
  }
  return files;
}

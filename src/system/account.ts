// Who runs this process, for locks, the journal and manifests.
import os from 'node:os';

/** The account's name; `uid 1234` where the machine has no name for it, as in a container or while its directory service is away. */
export function readAccountName(): string {
  try {
    return os.userInfo().username;
  } catch {
    return `uid ${process.geteuid?.() ?? '?'}`; // getpwuid_r(3) found no entry
  }
}

/** The shell that a terminal starts: what the session says, else what the account's entry does. */
export function readLoginShell(): string {
  const { SHELL } = process.env;
  if (SHELL !== undefined && SHELL !== '') return SHELL;
  try {
    return os.userInfo().shell ?? '/bin/sh';
  } catch {
    return '/bin/sh'; // no entry, as above
  }
}

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

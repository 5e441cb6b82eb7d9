// The contract of what turns a lock into a prefix. Our own linker is one such; mamba and conda will be others.
import type { CommandResult } from '../system/run-command.ts';
import type { Report } from '../system/events.ts';
import type { ChannelAccess } from './channel-access.ts';
import type { EnvironmentLock } from './lock.ts';

/** Runs a program in the build container, where the staging prefix is seen at its final path. */
export type RunInside = (command: {
  readonly program: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string | Uint8Array;
  readonly timeoutMs?: number;
  /** Default: 0 only. */
  readonly okExitCodes?: readonly number[];
}) => Promise<CommandResult>;

interface ExtractedPackages {
  readonly dir: string;
  /** Whether nobody's program writes to the prefix when it is installed: what is written to a hard link changes the cache. */
  readonly mayHardLink: boolean;
}

export interface InstallRequest {
  readonly lock: EnvironmentLock;
  /** The MatchSpecs of the environment.yml, for conda-meta (`requested_spec`, history). */
  readonly requestedSpecs: readonly string[];
  /** The pins of the environment, for conda-meta/pinned. */
  readonly pinnedSpecs?: readonly string[] | undefined;
  /** An empty directory on this node that will become the prefix. */
  readonly prefixOnDisk: string;
  /** Where users will see it: `/opt/conda/analysis3-26.11`. */
  readonly prefixInside: string;
  /** What downloads need that the lock must not hold. Default: nothing. */
  readonly access?: ChannelAccess | undefined;
  /** Content-addressed package cache; shared by builds, safe to delete. */
  readonly cacheDir: string;
  /** Packages as they were extracted, where the site keeps them; safe to delete. Default: archives are unpacked each time. */
  readonly extracted?: ExtractedPackages | undefined;
  readonly runInside: RunInside;
  readonly report: Report;
  readonly signal?: AbortSignal | undefined;
}

export interface InstalledPrefix {
  readonly packages: number;
  readonly files: number;
  readonly bytes: number;
  /** Things a person should know: clobbered files, ignored menus, what post-link scripts said. */
  readonly notes: readonly string[];
}

export interface Installer {
  readonly name: string;
  install(request: InstallRequest): Promise<InstalledPrefix>;
}

// environment.lock.yml: the exact packages of one environment.

export interface EnvironmentLock {
  readonly lockVersion: 1;
  /** conda's name of the platform, e.g. `linux-64`. */
  readonly platform: string;
  /** Hex sha256 of the specs, channels and virtual packages that were solved: tells whether the lock is stale. */
  readonly inputsDigest: string;
  /** Channel URLs, highest priority first, without credentials. */
  readonly channels: readonly string[];
  /** The virtual packages that it was solved for, e.g. `__glibc: '2.36'`. */
  readonly virtualPackages: Readonly<Record<string, string>>;
  /** Sorted by name. */
  readonly packages: readonly LockedPackage[];
}

export interface LockedPackage {
  readonly name: string;
  readonly version: string;
  readonly build: string;
  readonly buildNumber: number;
  /** Channel URL without the subdir. */
  readonly channel: string;
  readonly subdir: string;
  /** http(s):// or file:// */
  readonly url: string;
  readonly sha256: string;
  readonly md5?: string | undefined;
  readonly sizeBytes?: number | undefined;
}

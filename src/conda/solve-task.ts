// What the solver's thread is given, what it asks for on the way, and what it answers.
import type { VirtualPackage } from './virtual-packages.ts';

export interface SolveTask {
  readonly specs: readonly {
    readonly text: string;
    readonly name: string;
    readonly channel?: number | undefined;
    /** Constrains what is installed, and installs nothing. Pins come after the other specs. */
    readonly isPin: boolean;
  }[];
  readonly subdirs: readonly {
    readonly channel: number;
    readonly subdir: string;
    readonly file: string;
    readonly form: 'shards' | 'json';
  }[];
  readonly platform: string;
  readonly virtualPackages: readonly VirtualPackage[];
  /** What is locked already; nothing of another name is affected. */
  readonly keep?: { readonly packages: readonly KeptFile[]; readonly how: 'prefer' | 'only' } | undefined;
  /** Milliseconds: records from then on, and those that have no time, are not considered. */
  readonly excludeNewerMs?: number | undefined;
}

export interface KeptFile {
  readonly name: string;
  /** Position of the channel. */
  readonly channel: number;
  readonly subdir: string;
  readonly file: string;
  readonly sha256?: string | undefined;
}

export interface SolvedFile {
  readonly channel: number;
  readonly subdir: string;
  readonly file: string;
  readonly name: string;
  readonly version: string;
  readonly build: string;
  readonly buildNumber: number;
  readonly sha256?: string | undefined;
  readonly md5?: string | undefined;
  readonly sizeBytes?: number | undefined;
  /** CEP 15: where the packages of this subdir are, when not beside the repodata. */
  readonly baseUrl?: string | undefined;
  readonly depends: readonly string[];
}

export type SolveAnswer =
  | { readonly kind: 'solved'; readonly files: readonly SolvedFile[]; readonly refused: readonly string[] }
  | { readonly kind: 'invalid-specs'; readonly specs: readonly { readonly spec: number; readonly why: string }[] }
  | {
      readonly kind: 'unknown-names';
      readonly specs: readonly { readonly spec: number; readonly similar: readonly string[] }[];
    }
  | {
      readonly kind: 'unsatisfiable';
      readonly explanation: string;
      /** Names that a later channel has too: strict priority hid those. */
      readonly hidden: readonly string[];
      /** For each name of a spec, the versions that could be taken, newest first. */
      readonly available: Readonly<Record<string, readonly string[]>>;
      readonly refused: readonly string[];
    }
  /** Names of which only the locked file may be taken, and the channels have it no more. */
  | { readonly kind: 'kept-gone'; readonly names: readonly string[] }
  | { readonly kind: 'bad-repodata'; readonly subdir: number; readonly why: string };

/** CEP 16: only the records that a solve reaches are fetched, and only this thread knows which. */
export interface ShardsWanted {
  readonly kind: 'shards-wanted';
  readonly id: number;
  /** Position in the task. */
  readonly subdir: number;
  /** As the index has it: not checked. */
  readonly shardsBaseUrl: string;
  /** Hex sha256. */
  readonly digests: readonly string[];
}

export interface ShardsFetched {
  readonly id: number;
  /** In the order of the digests; each is what its digest says. */
  readonly shards: readonly Uint8Array[];
}

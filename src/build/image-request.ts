// What the two ways to an image are given, and what both give back.
import type { EnvironmentLock } from '../conda/lock.ts';
import type { ActivationDiff } from '../modules/activation-diff.ts';
import type { Wheel } from '../pip/wheels.ts';
import type { ReleaseManifest } from '../release/manifest.ts';
import type { LibraryFacts } from './audit.ts';
import type { BuildContext } from './build-context.ts';
import type { BuildPlan } from './build-plan.ts';
import type { BytecodeCount } from './bytecode.ts';
import type { Customised } from './customise.ts';
import type { DropCount } from './drop-plan.ts';
import type { PackedImage } from './pack.ts';
import type { PrefixRequest } from './staged-prefix.ts';
import type { Timed } from './timed.ts';

/** What a whole lock amounts to, and the release that was made from just that. */
export type FindSame = (lock: EnvironmentLock) => Promise<{
  readonly inputs: Record<string, string>;
  readonly inputsDigest: string;
  readonly same?: ReleaseManifest | undefined;
}>;

/** Its lock is without the pip part where that has to be resolved. */
export interface ImageRequest extends PrefixRequest {
  readonly context: BuildContext;
  readonly plan: BuildPlan;
  readonly findSame: FindSame;
  readonly timed: Timed;
}

export interface StagedImage {
  readonly image: PackedImage;
  /** With its pip part. */
  readonly lock: EnvironmentLock;
  readonly inputs: Record<string, string>;
  readonly inputsDigest: string;
  readonly activation: ActivationDiff;
  /** Names in the environment's `bin` that a farm has a link for. */
  readonly commands: readonly string[];
  readonly bytecode?: BytecodeCount | undefined;
  readonly dropped: readonly DropCount[];
  readonly customised?: Customised | undefined;
  readonly libraries: LibraryFacts;
  readonly orderedFiles: number;
  readonly wheels: readonly Wheel[];
  readonly notes: readonly string[];
}

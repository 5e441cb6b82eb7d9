// manifest.json: what a release is, what it was made from, and every file in it.
import { z } from 'zod';
import { AppError } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import { digestText } from '../system/files.ts';

const hex64 = z.string().regex(/^[0-9a-f]{64}$/);

const ActivationChange = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('set'), name: z.string(), value: z.string() }),
  z.strictObject({ kind: z.literal('prepend'), name: z.string(), entries: z.array(z.string()).readonly() }),
  z.strictObject({ kind: z.literal('append'), name: z.string(), entries: z.array(z.string()).readonly() }),
  z.strictObject({ kind: z.literal('unset'), name: z.string() }),
]);

/** What identifies a release; everything but its id and the digests of the files that carry the id. */
const ReleaseFacts = z.strictObject({
  manifestVersion: z.literal(1),
  fullName: z.string(),
  environment: z.string(),
  version: z.string(),
  /** ISO 8601, UTC. */
  createdAt: z.iso.datetime(),
  createdBy: z.strictObject({ user: z.string(), host: z.string() }),
  /** Commit of the checkout that the configuration is in, with `-dirty` when it had changes; absent outside git. */
  gitCommit: z.string().optional(),
  /** Digest of all inputs: a build with the same one would give the same release. */
  inputsDigest: hex64,
  inputs: z.record(z.string(), hex64),
  tools: z.record(z.string(), z.string()),
  base: z.strictObject({ digest: z.string().regex(/^[0-9a-f]{16}$/), sha256: hex64 }),
  image: z.strictObject({
    sha256: hex64,
    sizeBytes: z.int(),
    inodes: z.int(),
    /** Files with the content of another one, which squashfs keeps once. */
    duplicateFiles: z.int().optional(),
    /** Files that stand together at its start, because the traced imports opened them. */
    orderedFiles: z.int().optional(),
    /** Python sources with valid bytecode, those of them that the build compiled, and those that cannot be compiled. */
    bytecode: z.strictObject({ valid: z.int(), compiled: z.int(), uncompiled: z.int() }).optional(),
  }),
  activation: z.strictObject({
    changes: z.array(ActivationChange).readonly(),
    warnings: z.array(z.string()).readonly(),
  }),
  commands: z.array(z.string()).readonly(),
  packages: z.array(
    z.strictObject({
      name: z.string(),
      version: z.string(),
      build: z.string(),
      /** Of the conda package, or of the wheel that was installed. */
      sha256: hex64,
      /** Absent: conda. */
      source: z.literal('pip').optional(),
    }),
  ),
  notes: z.array(z.string()).readonly(),
  /** What was left out of the image, by rule of `drop`; absent where there are no rules. */
  dropped: z
    .array(z.strictObject({ rule: z.string(), files: z.int(), bytes: z.int() }))
    .readonly()
    .optional(),
  /** Seconds that each stage took. */
  stageSeconds: z.record(z.string(), z.number()),
});
export type ReleaseFacts = z.infer<typeof ReleaseFacts>;

const ReleaseManifest = ReleaseFacts.extend({
  id: z.string().regex(/^\d{8}T\d{6}Z-[0-9a-f]{8}$/),
  /** Every regular file of the release besides manifest.json and gate.xml, sorted. */
  files: z.array(z.strictObject({ path: z.string(), sha256: hex64, sizeBytes: z.int() })),
});
export type ReleaseManifest = z.infer<typeof ReleaseManifest>;

/**
 * UTC time and the first 8 hex digits of the digest of the facts. Not of the whole manifest: launcher and module carry
 * the id, so their digests cannot be part of it.
 */
export function describeReleaseId(facts: ReleaseFacts): string {
  const time = facts.createdAt.replace(/\.\d+Z$/, 'Z').replaceAll(/[-:]/g, '');
  return `${time}-${digestText(JSON.stringify(facts)).slice(0, 8)}`;
}

export function renderManifest(manifest: ReleaseManifest): string {
  return `${JSON.stringify(manifest, null, 2)}\n`;
}

/** @throws AppError MANIFEST_INVALID */
export function parseManifest(text: string, file: string): ReleaseManifest {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  const parsed = ReleaseManifest.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new AppError(EXIT.publishFailed, {
    code: 'MANIFEST_INVALID',
    message: `is not a release manifest of this condense: ${parsed.error.issues.map((issue) => `${issue.path.join('.')} ${issue.message}`).join('; ')}`,
    at: file,
    hint: 'build the release again',
  });
}

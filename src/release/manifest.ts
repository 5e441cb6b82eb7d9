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
  z.strictObject({
    kind: z.literal('around'),
    name: z.string(),
    before: z.string(),
    after: z.string(),
    value: z.string().optional(),
  }),
  z.strictObject({ kind: z.literal('unset'), name: z.string() }),
  z.strictObject({ kind: z.literal('backup'), name: z.string(), of: z.string() }),
  z.strictObject({ kind: z.literal('alias'), name: z.string(), value: z.string() }),
  z.strictObject({ kind: z.literal('function'), name: z.string(), body: z.string() }),
]);

/** A file that went in, as it was: its digest, and its text without the credentials of URLs. */
const InputFile = z.strictObject({ file: z.string(), sha256: hex64, text: z.string() });

/** Below the release's directory. */
const innerPath = z
  .string()
  .refine((text) => text.split('/').every((part) => !['', '.', '..'].includes(part)), 'leaves the release');

/** As chmod(1) reads it: `0444`. */
const mode = z.string().regex(/^[0-7]{4}$/);

/** What identifies a release; everything but its id and the digests of the files that carry the id. */
const ReleaseFacts = z.strictObject({
  /** 1: the first condense, which recorded no links, modes, node, spec, config or gate. */
  manifestVersion: z.union([z.literal(1), z.literal(2)]),
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
  /** The Node of the store that runs the launcher's planner. */
  node: z.strictObject({ version: z.string(), sha256: hex64 }).optional(),
  /** The environment.yml. */
  spec: InputFile.optional(),
  /** The install_config.yaml. */
  config: InputFile.optional(),
  /** Where it was not solved but found: the prefix or image whose packages it has, and what of that it has not. */
  adopted: z
    .strictObject({ from: z.string(), kind: z.enum(['prefix', 'image']), left: z.array(z.string()).readonly() })
    .optional(),
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
  /** What was taken out by package; absent where nothing was. */
  removed: z
    .array(
      z.strictObject({
        package: z.string(),
        files: z.int(),
        /** Packages that depend on it and are said to do without. */
        spared: z.array(z.string()).readonly(),
      }),
    )
    .readonly()
    .optional(),
  /** What the site's installations stand for; absent where none does. */
  replaced: z
    .array(
      z.strictObject({
        ...{ package: z.string(), by: z.string(), files: z.int(), links: z.int() },
        /** The release itself binds the directory, which is in none of the site's binds. */
        bound: z.literal(true).optional(),
      }),
    )
    .readonly()
    .optional(),
  /** Files of the site that were put in besides; absent where there are none. */
  added: z
    .array(z.strictObject({ path: z.string(), sha256: hex64, sizeBytes: z.int() }))
    .readonly()
    .optional(),
  /** Programs of the site that were run, in order, and how many files each of them added, changed and removed. */
  hooks: z
    .array(
      z.strictObject({
        stage: z.string(),
        sha256: hex64,
        seconds: z.number(),
        added: z.int(),
        changed: z.int(),
        removed: z.int(),
      }),
    )
    .readonly()
    .optional(),
  /** What was looked at for the libraries that programs need, and what of the host they got. */
  libraries: z
    .strictObject({
      /** Programs and libraries. */
      objects: z.int(),
      scripts: z.int(),
      /** Found neither in the image nor on the host; paths are relative to the prefix. */
      missing: z.array(z.strictObject({ soname: z.string(), neededBy: z.array(z.string()).readonly() })).readonly(),
      /** Found by the host's own dynamic loader. */
      system: z.array(z.strictObject({ soname: z.string(), kind: z.string() })).readonly(),
      /** Files of the host that the image has by links: what they called themselves and needed. */
      linked: z
        .array(
          z.strictObject({
            file: z.string(),
            kind: z.string(),
            soname: z.string().optional(),
            needed: z.array(z.string()).readonly(),
          }),
        )
        .readonly(),
    })
    .optional(),
  /** Seconds that each stage took. */
  stageSeconds: z.record(z.string(), z.number()),
});
export type ReleaseFacts = z.infer<typeof ReleaseFacts>;

const GateFacts = z.strictObject({
  /** Of gate.xml. */
  sha256: hex64,
  /** Of gate.json, which names the image; absent from releases that are older than such records. */
  record: hex64.optional(),
  /** From its beginning to its end: checks run at the same time. */
  seconds: z.number().optional(),
  checks: z
    .array(
      z.strictObject({
        name: z.string(),
        seconds: z.number(),
        /** Absent: passed. */
        status: z.enum(['skipped', 'expected']).optional(),
        reason: z.string().optional(),
      }),
    )
    .readonly(),
  /** Checks that failed and were let pass: by whom, why, and what they said. */
  waived: z
    .array(z.strictObject({ check: z.string(), reason: z.string(), by: z.string(), failure: z.string() }))
    .readonly()
    .optional(),
});

const ReleaseManifest = ReleaseFacts.extend({
  /** `<UTC time>-<first 8 hex digits of the digest of the facts>` */
  id: z.string().regex(/^\d{8}T\d{6}Z-[0-9a-f]{8}$/),
  /** Every regular file of the release besides manifest.json and what is made after it (gate.xml, gate.json, a signature), sorted. */
  files: z.array(z.strictObject({ path: innerPath, sha256: hex64, sizeBytes: z.int(), mode: mode.optional() })),
  /** Every link, sorted. */
  links: z.array(z.strictObject({ path: innerPath, target: z.string() })).optional(),
  /** What the gate found; absent until it has passed. */
  gate: GateFacts.optional(),
}).superRefine((manifest, context) => {
  if (manifest.manifestVersion === 1) return;
  for (const key of ['node', 'spec', 'config', 'links'] as const)
    if (manifest[key] === undefined) context.addIssue({ code: 'custom', path: [key], message: 'is missing' });
  if (manifest.files.some((file) => file.mode === undefined))
    context.addIssue({ code: 'custom', path: ['files'], message: 'one has no mode' });
});
export type ReleaseManifest = z.infer<typeof ReleaseManifest>;

/** The JSON schema of manifest.json, for those who read it with other tools. */
export function manifestSchema(): object {
  return z.toJSONSchema(ReleaseManifest, { io: 'input' });
}

/**
 * UTC time and the first 8 hex digits of the digest of the facts. Not of the whole manifest: launcher and module carry
 * the id, so their digests cannot be part of it.
 */
export function describeReleaseId(facts: ReleaseFacts): string {
  const time = facts.createdAt.replace(/\.\d+Z$/, 'Z').replaceAll(/[-:]/g, '');
  return `${time}-${digestText(renderFacts(facts)).slice(0, 8)}`;
}

/** The id that a manifest's facts give; undefined for version 1, whose digest depended on the order of its keys. */
export function recomputeReleaseId(manifest: ReleaseManifest): string | undefined {
  if (manifest.manifestVersion === 1) return undefined;
  return describeReleaseId(pickFacts(manifest));
}

/** Of a manifest: without its id, what its files are, and its gate. */
export const pickFacts = (manifest: ReleaseManifest): ReleaseFacts => ReleaseFacts.strip().parse(manifest);

/** The same text for the same facts, in whatever order their keys are. */
function renderFacts(facts: ReleaseFacts): string {
  return JSON.stringify(facts, (_, value: unknown) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  );
}

/** Permission bits as the manifest has them: `0444`. */
export function renderMode(bits: number): string {
  return (bits & 0o7777).toString(8).padStart(4, '0');
}

export function renderManifest(manifest: ReleaseManifest): string {
  return `${JSON.stringify(manifest, null, 2)}\n`;
}

/** @throws AppError MANIFEST_INVALID, MANIFEST_TOO_NEW */
export function parseManifest(text: string, file: string): ReleaseManifest {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  const parsed = ReleaseManifest.safeParse(value);
  if (parsed.success) return parsed.data;
  const { data: claim } = z.object({ manifestVersion: z.int().min(3) }).safeParse(value);
  if (claim) {
    throw new AppError(EXIT.publishFailed, {
      code: 'MANIFEST_TOO_NEW',
      message: `has manifestVersion ${claim.manifestVersion}, and this condense reads 1 and 2: a later condense made that release`,
      at: file,
      hint: 'use the condense that made it, or a later one',
    });
  }
  throw new AppError(EXIT.publishFailed, {
    code: 'MANIFEST_INVALID',
    message: `is not a release manifest of this condense: ${parsed.error.issues.map((issue) => `${issue.path.join('.')} ${issue.message}`).join('; ')}`,
    at: file,
    hint: 'build the release again',
  });
}

// A stored plan: what would be built, why, and from which inputs; a later build can be held to it.
import { z } from 'zod';
import { AppError } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';

const hex64 = z.string().regex(/^[0-9a-f]{64}$/);

const PlannedBuild = z.strictObject({
  environment: z.string(),
  fullName: z.string(),
  platform: z.string(),
  /** `none`: there is a release of these very inputs. */
  action: z.enum(['build', 'none']),
  /** That release; else the newest one, which the reasons compare with. */
  release: z.string().optional(),
  reasons: z.array(z.strictObject({ input: z.string(), what: z.string(), details: z.array(z.string()) })),
  /** As a manifest's. Without `base` where that has to be made first. */
  inputs: z.record(z.string(), hex64),
  lock: z.strictObject({
    /** `file`: beside the spec; `solve`: made for this plan. */
    from: z.enum(['file', 'solve']),
    /** Whether it still lacks what pip adds, which is only known once conda's packages are staged. */
    isPipOpen: z.boolean(),
    packages: z.int(),
    /** As environment.lock.yml has it. */
    text: z.string(),
  }),
  space: z.strictObject({
    /** Conda packages that are not in the cache. */
    downloads: z.int(),
    downloadBytes: z.int(),
    cachedBytes: z.int(),
    /** Estimated, as are the next two: from the release compared with, else from what is typical. */
    imageBytes: z.int(),
    inodes: z.int(),
    stagingBytes: z.int(),
    estimatedFrom: z.enum(['release', 'typical']),
  }),
  steps: z.array(z.strictObject({ step: z.string(), what: z.string(), path: z.string().optional() })),
});
export type PlannedBuild = z.infer<typeof PlannedBuild>;

const PlanDocument = z.strictObject({
  planVersion: z.literal(1, 'this condense reads planVersion 1 only'),
  createdAt: z.iso.datetime(),
  /** The version of condense. */
  condense: z.string(),
  /** Absolute path of the configuration. */
  config: z.string(),
  builds: z.array(PlannedBuild),
});
export type PlanDocument = z.infer<typeof PlanDocument>;

export function renderPlanDocument(plan: PlanDocument): string {
  return `${JSON.stringify(plan, null, 2)}\n`;
}

/** @throws AppError PLAN_INVALID */
export function parsePlanDocument(text: string, file: string): PlanDocument {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  const parsed = PlanDocument.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new AppError(EXIT.configuration, {
    code: 'PLAN_INVALID',
    message: `is not a plan of this condense: ${parsed.error.issues.map(({ path, message }) => `${path.join('.')} ${message}`.trim()).join('; ')}`,
    at: file,
    hint: `condense plan --out ${file}`,
  });
}

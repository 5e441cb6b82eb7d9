// generation.json: who made a generation, when, why, and what it changed. What it shows is told by its links alone.
import { z } from 'zod';

const Count = z.int().min(0);

/** A name of the public face that is new, gone, or means something else than before. */
const FaceChange = z.object({
  kind: z.enum(['version', 'alias']),
  name: z.string(),
  /** The release id of a version, the full name of an alias; absent where it was not there before. */
  from: z.string().optional(),
  /** Absent where it is not there any more. */
  to: z.string().optional(),
  /** Of a version that was another release before: which inputs differ, e.g. `launcher`, and how many packages. */
  inputs: z.array(z.string()).readonly().optional(),
  packages: z.object({ added: Count, removed: Count, changed: Count }).optional(),
});
export type FaceChange = z.infer<typeof FaceChange>;

const GenerationRecord = z.object({
  recordVersion: z.literal(1),
  generation: z.int().min(1),
  /** ISO 8601, UTC. */
  time: z.string(),
  action: z.string(),
  /** What was asked for, as a person typed it. */
  subject: z.string(),
  user: z.string(),
  host: z.string(),
  /** The generation whose content a rollback put there. */
  restores: z.int().min(1).optional(),
  changes: z.array(FaceChange).readonly(),
});
export type GenerationRecord = z.infer<typeof GenerationRecord>;

/** The same text for what is read from it again, whatever the order of the keys. */
export function renderGenerationRecord(record: GenerationRecord): string {
  return `${JSON.stringify(GenerationRecord.parse(record), null, 2)}\n`;
}

/** @returns undefined where it is no record: what a generation shows does not depend on it */
export function parseGenerationRecord(text: string): GenerationRecord | undefined {
  try {
    return GenerationRecord.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

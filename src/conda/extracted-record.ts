// What an extracted package of the cache says of itself: its members as they were written, and what the archive's info/ holds.
// The first line has the digest of the rest: what the disk has changed is no record.
import { z } from 'zod';
import { digestText } from '../system/files.ts';
import type { FileState } from '../system/shared-files.ts';
import type { UnpackedMember } from './archive.ts';
import type { InfoFiles } from './package-metadata.ts';

export type ExtractedMember =
  | {
      readonly kind: 'file';
      readonly path: string;
      readonly member: Extract<UnpackedMember, { kind: 'file' }>;
      readonly state: FileState;
    }
  /** A second name of an earlier file. */
  | { readonly kind: 'name'; readonly path: string; readonly of: string }
  | { readonly kind: 'link'; readonly path: string; readonly target: string; readonly mtimeSeconds: number }
  | { readonly kind: 'directory'; readonly path: string };

export interface ExtractedRecord {
  readonly members: readonly ExtractedMember[];
  readonly info: InfoFiles;
}

const path = z.string();
const schema = z.object({
  members: z.array(
    z.discriminatedUnion('kind', [
      z.object({
        ...{ kind: z.literal('file'), path },
        member: z.object({
          ...{ kind: z.literal('file'), mode: z.int(), mtimeSeconds: z.number() },
          ...{ sizeBytes: z.int(), sha256: z.string() },
        }),
        state: z.object({
          ...{ inode: z.string(), changedNs: z.string(), mode: z.int() },
          ...{ mtimeSeconds: z.number(), sizeBytes: z.int() },
        }),
      }),
      z.object({ kind: z.literal('name'), path, of: z.string() }),
      z.object({ kind: z.literal('link'), path, target: z.string(), mtimeSeconds: z.number() }),
      z.object({ kind: z.literal('directory'), path }),
    ]),
  ),
  info: z.record(z.string(), z.base64()),
});

export function renderExtractedRecord({ members, info }: ExtractedRecord): string {
  const text = JSON.stringify({
    members,
    info: Object.fromEntries(Object.entries(info).map(([name, data]) => [name, (data as Buffer).toString('base64')])),
  });
  return `${digestText(text)}\n${text}`;
}

/** @returns undefined where it is not what was written */
export function parseExtractedRecord(written: string): ExtractedRecord | undefined {
  const end = written.indexOf('\n');
  const text = written.slice(end + 1);
  if (written.slice(0, Math.max(end, 0)) !== digestText(text)) return undefined;
  const read = schema.safeParse(parseJson(text));
  if (!read.success) return undefined; // of another version of condense
  const { members, info } = read.data;
  return {
    members,
    info: Object.fromEntries(Object.entries(info).map(([name, data]) => [name, Buffer.from(data, 'base64')])),
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

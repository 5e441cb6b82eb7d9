// mirror.json: which files of a mirror are condense's own, and which locks it holds. Without it a directory is no mirror.
import path from 'node:path';
import { z } from 'zod';
import { parseLock } from '../conda/lock.ts';
import type { MirrorLayout } from '../site/layout.ts';
import { AppError } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import { lstatIfThere, readdir, readText } from '../system/files.ts';
import { lockPath, type MirroredLock } from './mirror-plan.ts';

/** No part is `..`, none is hidden: a changed mirror.json names nothing outside. */
const RelativeFile = z.string().regex(/^(?:conda|locks|pip)(?:\/[A-Za-z0-9_][A-Za-z0-9._+!-]*)+$/);

const MirrorState = z.strictObject({
  mirrorVersion: z.literal(1),
  locks: z.array(z.strictObject({ name: z.string().regex(/^[A-Za-z0-9_][A-Za-z0-9._-]*$/), title: z.string() })),
  /** Besides this one and the page. Some may not be there yet: it is written before them. */
  files: z.array(RelativeFile),
});
type MirrorState = z.infer<typeof MirrorState>;

export interface Mirror {
  /** Nothing where there is no mirror yet. */
  readonly files: readonly string[];
  readonly locks: readonly MirroredLock[];
}

export function renderMirrorState(locks: readonly MirroredLock[], files: Iterable<string>): string {
  const state: MirrorState = {
    mirrorVersion: 1,
    locks: locks.map(({ name, title }) => ({ name, title })),
    files: [...new Set(files)].sort(),
  };
  return `${JSON.stringify(state, null, 1)}\n`;
}

/**
 * @param lockFile of the mirror, which may be all that a killed run has left
 * @throws AppError MIRROR_NOT_OURS (a directory with other files in it), MIRROR_INVALID, LOCK_INVALID
 */
export async function readMirror(layout: MirrorLayout): Promise<Mirror> {
  if (!(await lstatIfThere(layout.state))) {
    const others = (await lstatIfThere(layout.dir)) ? (await readdir(layout.dir)).filter((name) => !isOwn(name)) : [];
    if (others.length === 0) return { files: [], locks: [] };
    throw new AppError(EXIT.usage, {
      code: 'MIRROR_NOT_OURS',
      message: `is neither empty nor a mirror that condense made: ${others.slice(0, 3).join(', ')}`,
      at: layout.dir,
      hint: 'name a new or an empty directory',
    });
  }
  const state = parseState(await readText(layout.state), layout.state);
  const locks: MirroredLock[] = [];
  for (const { name, title } of state.locks) {
    const file = layout.file(lockPath(name));
    const text = await readText(file);
    locks.push({ name, title, text, lock: parseLock(text, file) });
  }
  return { files: state.files, locks };
}

function isOwn(name: string): boolean {
  return name.startsWith(path.basename('.condense.lock')) || /^\..*\.tmp$/.test(name);
}

function parseState(text: string, file: string): MirrorState {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  const parsed = MirrorState.safeParse(value);
  if (parsed.success) return parsed.data;
  const why = parsed.error.issues.map((issue) => `${issue.path.join('.')} ${issue.message}`).join('; ');
  throw new AppError(EXIT.usage, {
    code: 'MIRROR_INVALID',
    message: `is not of a mirror that this condense knows: ${why}`,
    at: file,
    hint: 'mirror into a new directory',
  });
}

// What a hook did to a prefix, and what of that no image may have. Pure, but for a look at what is no file.
import path from 'node:path';
import type { HookRule } from '../config/site-config.ts';
import { ContainerView } from '../site/container-view.ts';
import { AppError, type Problem } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import { lookAt } from '../system/host-files.ts';
import type { ContentEntry, ImageContent } from './image-content.ts';

export interface HookChanges {
  readonly added: readonly string[];
  readonly changed: readonly string[];
  readonly removed: readonly string[];
}

/** @throws AppError HOOK_REFUSED, every problem at once */
export function compareHooked(request: {
  readonly hook: HookRule;
  readonly before: ImageContent;
  readonly now: ImageContent;
  readonly prefixOnDisk: string;
  readonly prefixInside: string;
  readonly binds: readonly string[];
}): HookChanges {
  const { hook, before, now, prefixOnDisk, prefixInside, binds } = request;
  const view = new ContainerView({ prefixInside, tree: now, binds });
  const isNoDirectory = ([, { kind }]: readonly [string, ContentEntry]): boolean => kind !== 'directory';
  const files = [...now].filter(isNoDirectory);
  const added = files.filter(([at]) => !before.has(at)).map(([at]) => at);
  const changed = files.filter(([at, entry]) => isChanged(before.get(at), entry)).map(([at]) => at);
  const removed = [...before].filter((one) => isNoDirectory(one) && !now.has(one[0])).map(([at]) => at);
  const why = (at: string): string | undefined => {
    const entry = now.get(at);
    if (at.startsWith('conda-meta/') || at === '.condense') return `changed ${at}, which is conda's or condense's`;
    if (entry?.kind === 'file' && lookAt(path.join(prefixOnDisk, at))?.kind !== 'file')
      return `left ${at}, which is a pipe, a socket or a device`;
    if (entry?.kind === 'link' && !view.locate(path.posix.join(prefixInside, at)))
      return `left the link ${at} to ${entry.target ?? ''}, which is nothing that the container has`;
    return undefined;
  };
  const problems = [...added, ...changed, ...removed].flatMap((at): Problem[] => {
    const message = why(at);
    if (message === undefined) return [];
    return [
      {
        code: 'HOOK_REFUSED',
        message: `the hook ${hook.stage} (${hook.file}) ${message}`,
        at: hook.at,
        hint: 'an image has files, directories and links only; let the hook remove what it needs for itself',
      },
    ];
  });
  if (problems.length > 0) throw new AppError(EXIT.buildFailed, problems);
  return { added, changed, removed };
}

function isChanged(was: ContentEntry | undefined, is: ContentEntry): boolean {
  if (!was) return false;
  const sizeOf = ({ bytes }: ContentEntry): number | undefined =>
    bytes && ('data' in bytes ? bytes.data.length : bytes.sizeBytes);
  return (
    was.kind !== is.kind ||
    was.target !== is.target ||
    (is.kind === 'file' && (was.modifiedMs !== is.modifiedMs || was.mode !== is.mode || sizeOf(was) !== sizeOf(is)))
  );
}

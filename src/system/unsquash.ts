// Unpacking an image, or some of its files, with unsquashfs(1).
import { countProcessors } from './processors.ts';
import { runCommand } from './run-command.ts';

export interface Unsquash {
  readonly image: string;
  /** Made by it: must not be there. */
  readonly dest: string;
  /** Patterns of the paths that are wanted. Default: everything. */
  readonly wanted?: readonly string[] | undefined;
  /** The file system that is to blame where one is full. */
  readonly writesTo: string;
  readonly failureHint?: string | undefined;
  readonly signal: AbortSignal;
}

/** Without extended attributes, which need rights that builds have not. @throws AppError TOOL_FAILED, INTERRUPTED */
export async function runUnsquash({ image, dest, wanted = [], ...rest }: Unsquash): Promise<void> {
  await runCommand({
    program: 'unsquashfs',
    args: [
      // Else it takes all of the machine, as mksquashfs does.
      ...['-processors', String(countProcessors(process.env))],
      ...['-no-progress', '-quiet', '-no-xattrs', '-dest', dest, image, ...wanted],
    ],
    ...rest,
  });
}

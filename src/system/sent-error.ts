// Errors on their way from one thread to another: cloned as they are, they would lose their class and their codes.
import { AppError, errorMessage, type Problem } from './app-error.ts';
import { keepShortRoom, readErrnoName, readShortRoom, type ShortRoom } from './disk-room.ts';
import type { ExitCode } from './exit-codes.ts';

export type SentError =
  | { readonly kind: 'app'; readonly exit: ExitCode; readonly problems: readonly Problem[] }
  | {
      readonly kind: 'other';
      readonly message: string;
      readonly stack: string | undefined;
      /** `code`, `syscall` and `path` of an error of the system. */
      readonly facts: Readonly<Record<string, string>>;
      readonly room: ShortRoom | undefined;
    };

export function packError(error: unknown): SentError {
  if (error instanceof AppError) return { kind: 'app', exit: error.exit, problems: error.problems };
  const facts: Record<string, string> = {};
  for (const name of ['syscall', 'path', 'dest']) {
    const value: unknown = error instanceof Error ? Reflect.get(error, name) : undefined;
    if (typeof value === 'string') facts[name] = value;
  }
  const code = error instanceof Error ? readErrnoName(error) : undefined;
  if (code !== undefined) facts['code'] = code;
  return {
    kind: 'other',
    message: errorMessage(error),
    stack: error instanceof Error ? error.stack : undefined,
    facts,
    room: error instanceof Error ? readShortRoom(error) : undefined,
  };
}

export function unpackError(sent: SentError): Error {
  if (sent.kind === 'app') return new AppError(sent.exit, sent.problems);
  const error = Object.assign(new Error(sent.message), sent.facts);
  if (sent.stack !== undefined) error.stack = sent.stack;
  if (sent.room) keepShortRoom(error, sent.room);
  return error;
}

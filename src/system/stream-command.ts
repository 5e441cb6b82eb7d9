// A program whose output is too large to hold: the caller reads it as it comes. Same rules as run-command.ts.
import type { Readable } from 'node:stream';
import { execa } from 'execa';
import { describeFailure, minimalEnvironment, type Command } from './run-command.ts';

export interface RunningCommand {
  readonly stdout: Readable;
  /** Settles when the program has ended; rejects as `runCommand` does. Await it in every case. */
  readonly ended: Promise<void>;
  /** Ends the program, which is then no failure of it: its output is not wanted any more. */
  readonly stop: () => void;
}

/** Starts a program that reads nothing from stdin. */
export function streamCommand(command: Pick<Command, 'program' | 'args' | 'signal' | 'failureHint'>): RunningCommand {
  const child = execa(command.program, command.args, {
    env: minimalEnvironment(),
    extendEnv: false,
    stdin: 'ignore',
    encoding: 'buffer',
    buffer: { stdout: false, stderr: true },
    reject: false,
    ...(command.signal === undefined ? {} : { cancelSignal: command.signal }),
  });
  let isStopped = false;
  const ended = child.then((result) => {
    if (result.exitCode === 0 || (isStopped && result.isTerminated)) return;
    throw describeFailure(command, result, Buffer.from(result.stderr).toString('utf8'));
  });
  // It may fail before the caller has come to await it.
  ended.catch(() => undefined);
  const stop = (): void => {
    isStopped = true;
    child.kill();
  };
  return { stdout: child.stdout, ended, stop };
}

// Programs that may start anything, as a user's login shell does: they get no terminal, and nothing of theirs stays.
import { randomUUID } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { execa } from 'execa';
import { killMarked } from './marked-processes.ts';
import { planMortal } from './mortal-command.ts';
import type { Command } from './run-command.ts';

/** Tells the processes of one run from all others. */
const MARK = 'CONDENSE_RUN';

interface AloneCommand extends Pick<Command, 'program' | 'args' | 'cwd' | 'signal'> {
  readonly env: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
}

export interface AloneResult {
  /** From the start to the end of the program itself. */
  readonly durationMs: number;
  /** False where it was ended because its time was up. */
  readonly isDone: boolean;
}

/**
 * Runs a program in a session of its own (setsid(2)), so that a shell takes no terminal away, with no input and no output. At
 * its end, or once its time is up, every process that it has left is killed, whatever session it is in.
 * @throws what the signal was aborted with
 */
export async function runAlone(command: AloneCommand): Promise<AloneResult> {
  command.signal?.throwIfAborted();
  const { program, args } = await planMortal(command);
  const mark = `${MARK}=${randomUUID()}`;
  const started = performance.now();
  const child = execa(program, args, {
    ...(command.cwd === undefined ? {} : { cwd: command.cwd }),
    env: { ...command.env, [MARK]: mark.slice(MARK.length + 1) },
    extendEnv: false,
    stdio: 'ignore',
    detached: true,
    timeout: command.timeoutMs,
    killSignal: 'SIGKILL', // an interactive shell takes no notice of SIGTERM
    reject: false,
    ...(command.signal === undefined ? {} : { cancelSignal: command.signal }),
  });
  const result = await child;
  const durationMs = performance.now() - started;
  await killAllMarked(mark);
  command.signal?.throwIfAborted();
  return { durationMs, isDone: !result.timedOut };
}

/** Again until there is none, since one may have started another meanwhile; one that waits for a disk ends after that. */
async function killAllMarked(mark: string): Promise<void> {
  for (let round = 0; round < MOST_ROUNDS; round++) {
    if (killMarked(mark) === 0) return;
    await setTimeout(ROUND_MS);
  }
}
const MOST_ROUNDS = 50;
const ROUND_MS = 10;

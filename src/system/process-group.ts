// A program with a process group of its own: all of the group ends with it, and what left the group is found by a variable.
import { killIfThere, killMarked } from './marked-processes.ts';

/** Between asking and killing, and between the end of a program and that of those who keep its output open. */
const GRACE_MS = 5000;
const STRAY_MS = 1000;

interface GroupLeader {
  readonly pid?: number | undefined;
  readonly stdout?: { destroy: () => void } | null;
  readonly stderr?: { destroy: () => void } | null;
  once: (event: 'exit', listener: () => void) => unknown;
}

export interface GroupLimits {
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** `NAME=value` of its environment, which what it starts inherits. */
  readonly marker: string;
}

/** Watches over a program that was started as the leader of a group (setsid(2)). */
export class ProcessGroup {
  timedOut = false;
  isCanceled = false;
  readonly #leader: GroupLeader;
  readonly #marker: string;
  readonly #timers: NodeJS.Timeout[] = [];

  constructor(leader: GroupLeader, { timeoutMs, signal, marker }: GroupLimits) {
    this.#leader = leader;
    this.#marker = marker;
    const interrupt = (): void => {
      this.isCanceled = true;
      this.#end();
    };
    if (timeoutMs !== undefined)
      this.#after(timeoutMs, () => {
        this.timedOut = true;
        this.#end();
      });
    if (signal?.aborted) interrupt();
    else signal?.addEventListener('abort', interrupt, { once: true });
    leader.once('exit', () => {
      signal?.removeEventListener('abort', interrupt);
      this.#finish();
    });
  }

  /** To be called when its output is at its end. */
  close(): void {
    for (const timer of this.#timers) clearTimeout(timer);
  }

  #end(): void {
    this.#kill('SIGTERM');
    this.#after(GRACE_MS, () => {
      this.#kill('SIGKILL');
    });
  }

  /** What it has left behind must not go on, nor keep anybody waiting for the end of its output. */
  #finish(): void {
    this.close();
    this.#kill('SIGKILL');
    if (this.timedOut || this.isCanceled) killMarked(this.#marker);
    this.#after(STRAY_MS, () => {
      killMarked(this.#marker);
      this.#after(STRAY_MS, () => {
        this.#leader.stdout?.destroy();
        this.#leader.stderr?.destroy();
      });
    });
  }

  #kill(signal: NodeJS.Signals): void {
    if (this.#leader.pid === undefined) return;
    killIfThere(-this.#leader.pid, signal);
  }

  #after(ms: number, work: () => void): void {
    this.#timers.push(setTimeout(work, ms));
  }
}

// Runs one stage, tells when it starts and ends, and keeps the seconds.
import type { Report } from '../system/events.ts';

export type Timed = <T>(stage: string, work: () => Promise<T>, detail?: string) => Promise<T>;

/** @param seconds where each stage's are noted, under its name */
export function makeTimed(report: Report, signal: AbortSignal, seconds: Record<string, number> = {}): Timed {
  return async (stage, work, detail) => {
    report({ type: 'stage-started', stage, ...(detail === undefined ? {} : { detail }) });
    const started = performance.now();
    const result = await work();
    const taken = Math.round(performance.now() - started) / 1000;
    seconds[stage] = taken;
    report({ type: 'stage-finished', stage, seconds: taken });
    signal.throwIfAborted();
    return result;
  };
}

// Runs the gate's checks. No answer in time, a crash, a wrong answer: each is a failure.
import { errorMessage } from '../system/app-error.ts';
import { minimalEnvironment, runCommand } from '../system/run-command.ts';
import type { GateCheck, GateReport, GateResult } from './gate-checks.ts';

export async function runGate(
  subject: string,
  checks: readonly GateCheck[],
  signal?: AbortSignal,
): Promise<GateReport> {
  const results: GateResult[] = [];
  for (const check of checks) {
    const started = performance.now();
    const failure = await runCheck(check, signal);
    signal?.throwIfAborted();
    results.push({ name: check.name, seconds: (performance.now() - started) / 1000, failure });
  }
  return { subject, results };
}

async function runCheck(check: GateCheck, signal?: AbortSignal): Promise<string | undefined> {
  try {
    const { stdout } = await runCommand({
      program: check.program,
      args: check.args,
      cwd: '/',
      // What nobody can see yet starts no session of its own.
      env: { ...minimalEnvironment(), CONDENSE_SESSION: 'off' },
      timeoutMs: check.timeoutMs,
      signal,
    });
    const answer = stdout.toString('utf8').replace(/\n$/, '');
    if (check.expected === undefined || answer === check.expected) return undefined;
    return `expected ${JSON.stringify(check.expected)}, got ${JSON.stringify(answer.slice(0, 1000))}`;
  } catch (error) {
    return errorMessage(error);
  }
}

// Exceptions of the configuration, and waivers of a person: what becomes of a check that failed. Pure.
import type { GateException } from '../config/site-config.ts';
import type { GateResult } from '../release/gate-report.ts';
import type { RawResult } from './raw-result.ts';

export interface Waiver {
  /** The name of a check. */
  readonly check: string;
  readonly reason: string;
}

/** @param today `2026-11-21`, UTC; the day itself still counts */
export const isOver = ({ until }: GateException, today: string): boolean => today > until;

export function describeExpired(key: string, { reason, until }: GateException): string {
  return `${key} held until ${until} (${reason}), and that is over: look whether it is still needed, then remove it or give it another day`;
}

/** What a package or a test says stands on a terminal and in the manifest: no control characters, and not without end. */
function makePlain(one: RawResult): RawResult {
  const plain = (text: string, most: number): string =>
    text
      .replaceAll(/(?![\n\t])\p{Cc}/gu, '\uFFFD')
      .slice(0, most)
      .toWellFormed();
  const { failure, skipped } = one;
  return {
    ...one,
    name: plain(one.name, 300).replaceAll(/\s+/g, ' '),
    ...(failure === undefined ? {} : { failure: plain(failure, 4000) }),
    ...(skipped === undefined
      ? {}
      : { skipped: { ...skipped, reason: plain(skipped.reason, 1000) || 'no reason was given' } }),
  };
}

export interface Judged {
  readonly results: readonly GateResult[];
  readonly warnings: readonly string[];
}

/** What counts, and what is let pass. An exception or waiver that nothing needs is warned of. */
export function judge(
  raw: readonly RawResult[],
  expected: Readonly<Record<string, GateException>>,
  waivers: readonly Waiver[],
  today: string,
): Judged {
  const warnings: string[] = [];
  const results = raw.map(makePlain).map((one): GateResult => {
    const exception = Object.hasOwn(expected, one.name) ? expected[one.name] : undefined;
    const { name, seconds } = one;
    const key = `gate.expected_failures[${JSON.stringify(name)}]`;
    const waiver = waivers.find(({ check }) => check === name);
    let failure = one.failure;
    if (exception && isOver(exception, today)) {
      failure = `${describeExpired(key, exception)}${failure === undefined ? '; the check passes now' : `\n${failure}`}`;
    } else if (exception && failure !== undefined && !one.essential) {
      return { name, status: 'expected', seconds, failure, ...exception };
    } else if (exception && failure === undefined && !one.skipped) {
      warnings.push(`${name} passes: remove ${key}`);
    }
    if (failure !== undefined && waiver && !one.essential)
      return { name, status: 'waived', seconds, failure, reason: waiver.reason };
    if (waiver) {
      warnings.push(
        failure === undefined
          ? `${name} passes: the waiver was not needed`
          : `${name} cannot be waived: without it nothing else is known`,
      );
    }
    if (failure !== undefined)
      return { name, status: 'failed', seconds, failure, ...(one.essential ? { essential: true } : {}) };
    if (one.skipped) return { name, status: 'skipped', seconds, ...one.skipped };
    return { name, status: 'passed', seconds };
  });
  const names = new Set(raw.map(({ name }) => name));
  for (const name of Object.keys(expected))
    if (!names.has(name))
      warnings.push(`gate.expected_failures[${JSON.stringify(name)}] is for no check of this gate: remove it`);
  for (const { check } of waivers)
    if (!names.has(check))
      warnings.push(`there is no check ${JSON.stringify(check)} to waive: names are those of the report`);
  return { results, warnings };
}

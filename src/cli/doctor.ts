// `condense doctor`: what this machine lacks and what is wrong with the site, each finding with its fix.
import { inspectSite } from '../release/inspect-site.ts';
import { probeSite } from '../site/doctor.ts';
import type { Finding } from '../site/finding.ts';
import { probeOutsideCommands } from '../site/outside-commands.ts';
import { EXIT, type ExitCode } from '../system/exit-codes.ts';
import type { Session } from './session.ts';

/** @returns 4 when something is missing that building or launching needs, or the site is damaged */
export async function runDoctor(session: Session): Promise<ExitCode> {
  const { config, layout } = session;
  const findings = [
    ...(await probeSite(config)),
    ...(await probeOutsideCommands(config, layout)),
    ...(await inspectSite(config, layout)),
  ];
  const failures = findings.filter((finding) => finding.status === 'failure').length;
  session.output.result({ failures, findings }, [
    ...describeFindings(findings),
    failures === 0 ? 'this machine can build and publish' : `${failures} to mend before condense can work here`,
  ]);
  return failures === 0 ? EXIT.done : EXIT.siteNotReady;
}

/** One after the other, each with its fix below. */
export function describeFindings(findings: readonly Finding[]): string[] {
  const marks = { ok: 'ok      ', warning: 'warning ', failure: 'failure ' } as const;
  return findings.flatMap((finding) => [
    `${marks[finding.status]}${finding.name}: ${finding.found}`,
    ...(finding.fix === undefined ? [] : [`        ${finding.fix}`]),
  ]);
}

// gate.xml: the gate's report as CI systems read it (JUnit XML). What does not count against a release is "skipped" there.
import type { GateReport, GateResult } from '../release/gate-report.ts';

export function renderJUnit(report: GateReport): string {
  const count = (...wanted: readonly GateResult['status'][]): number =>
    report.results.filter(({ status }) => wanted.includes(status)).length;
  const name = escapeXml(report.release);
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuite name="${name}" tests="${report.results.length}" failures="${count('failed')}" errors="0" skipped="${count('skipped', 'expected', 'waived')}" time="${report.seconds.toFixed(3)}" timestamp="${report.time}">`,
    '  <properties>',
    `    <property name="image.sha256" value="${report.imageSha256}"/>`,
    '  </properties>',
    ...report.results.map((result) => renderCase(name, result)),
    '</testsuite>',
    '',
  ].join('\n');
}

function renderCase(suite: string, { name, status, seconds, failure, reason, until }: GateResult): string {
  const head = `  <testcase classname="${suite}" name="${escapeXml(name)}" time="${seconds.toFixed(3)}"`;
  if (status === 'passed') return `${head}/>`;
  if (status === 'failed') return `${head}>\n    <failure>${escapeXml(failure ?? '')}</failure>\n  </testcase>`;
  const why = escapeXml(`${status}${until === undefined ? '' : ` until ${until}`}: ${reason ?? ''}`);
  return `${head}>\n    <skipped message="${why}">${escapeXml(failure ?? '')}</skipped>\n  </testcase>`;
}

/** XML 1.0, section 2.2: most control characters cannot be written at all. */
function escapeXml(text: string): string {
  const entities: Readonly<Record<string, string>> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
    "'": '&apos;',
  };
  return text
    .toWellFormed()
    .replaceAll(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '\uFFFD')
    .replaceAll(/[&<>"']/g, (character) => entities[character] ?? character);
}

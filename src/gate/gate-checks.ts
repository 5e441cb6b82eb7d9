// The gate: what a staged release must do through its real launcher before users can get it. Pure: what to run and what to expect.
import type { ReleaseLayout } from '../site/layout.ts';

export interface GateCheck {
  readonly name: string;
  readonly program: string;
  readonly args: readonly string[];
  /** What stdout must be, without the last newline; anything when undefined. */
  readonly expected?: string | undefined;
  readonly timeoutMs: number;
}

export interface GateResult {
  readonly name: string;
  readonly seconds: number;
  /** Why it failed; undefined when it passed. */
  readonly failure?: string | undefined;
}

export interface GateReport {
  readonly subject: string;
  readonly results: readonly GateResult[];
}

/** Every check runs on its own, so that one crash does not hide the others. */
export function planGate(
  release: ReleaseLayout,
  environment: {
    readonly condaPrefix: string;
    readonly marker: string;
    readonly commands: readonly string[];
    readonly imports: readonly string[];
  },
): GateCheck[] {
  const timeoutMs = 300_000;
  const checks: GateCheck[] = [
    {
      name: 'the image mounts',
      program: release.launcher,
      args: ['/usr/bin/test', '-r', environment.marker],
      timeoutMs,
    },
  ];
  if (environment.commands.includes('python3')) {
    const python = release.command('python3');
    checks.push({
      name: 'python is the one of the image',
      program: python,
      args: ['-c', 'import sys; print(sys.prefix)'],
      expected: environment.condaPrefix,
      timeoutMs,
    });
    for (const module of environment.imports) {
      checks.push({
        name: `import ${module}`,
        program: python,
        args: ['-c', 'import importlib, sys; importlib.import_module(sys.argv[1])', module],
        timeoutMs,
      });
    }
  } else {
    // Imports that nothing can run must not pass in silence.
    for (const module of environment.imports) {
      checks.push({ name: `import ${module}`, program: release.command('python3'), args: [], timeoutMs });
    }
  }
  return checks;
}

/** JUnit XML, as CI systems read it. */
export function renderGateReport(report: GateReport): string {
  const failures = report.results.filter((result) => result.failure !== undefined).length;
  const cases = report.results.map((result) => {
    const head = `  <testcase classname="${escapeXml(report.subject)}" name="${escapeXml(result.name)}" time="${result.seconds.toFixed(3)}"`;
    return result.failure === undefined
      ? `${head}/>`
      : `${head}>\n    <failure>${escapeXml(result.failure)}</failure>\n  </testcase>`;
  });
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuite name="${escapeXml(report.subject)}" tests="${report.results.length}" failures="${failures}">`,
    ...cases,
    '</testsuite>',
    '',
  ].join('\n');
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
    .replaceAll(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '\uFFFD')
    .replaceAll(/[&<>"']/g, (character) => entities[character] ?? character);
}

import { describe, expect, it } from 'vitest';
import { planGate, renderGateReport } from '../../../src/gate/gate-checks.ts';
import { makeLayout } from '../make-layout.ts';

const release = makeLayout('/site').release('a-1', '20261121T000000Z-00000000');
const environment = {
  condaPrefix: '/opt/conda/a-1',
  marker: '/opt/conda/a-1/.condense',
  commands: ['python3'],
  imports: ['numpy'],
};

describe('planGate', () => {
  it('goes through the real launcher of the release, one process for each import', () => {
    const checks = planGate(release, environment);

    expect(checks.map((check) => [check.name, check.program.replace(release.dir, '')])).toEqual([
      ['the image mounts', '/launcher'],
      ['python is the one of the image', '/bin/python3'],
      ['import numpy', '/bin/python3'],
    ]);
    expect(checks[1]?.expected).toBe('/opt/conda/a-1');
  });

  it('hands a module name over as an argument, never as code', () => {
    const [, , check] = planGate(release, { ...environment, imports: ['os; print(1)'] });

    expect(check?.args.at(-1)).toBe('os; print(1)');
    expect(check?.args[1]).not.toContain('os; print(1)');
  });

  it('plans the imports of an environment without python too, so that they fail', () => {
    const checks = planGate(release, { ...environment, commands: [] });

    expect(checks.map((check) => check.name)).toEqual(['the image mounts', 'import numpy']);
  });

  it('checks an environment without imports all the same', () => {
    expect(planGate(release, { ...environment, commands: [], imports: [] })).toHaveLength(1);
  });
});

it('reports as JUnit does, with every failure counted and every character safe', () => {
  const report = renderGateReport({
    subject: 'a-1/x',
    results: [
      { name: 'passes', seconds: 1.5 },
      { name: 'import <a> & "b"', seconds: 0, failure: 'a \u0007 bell ]]> </failure>' },
    ],
  });

  expect(report).toBe(
    `<?xml version="1.0" encoding="UTF-8"?>
<testsuite name="a-1/x" tests="2" failures="1">
  <testcase classname="a-1/x" name="passes" time="1.500"/>
  <testcase classname="a-1/x" name="import &lt;a&gt; &amp; &quot;b&quot;" time="0.000">
    <failure>a \uFFFD bell ]]&gt; &lt;/failure&gt;</failure>
  </testcase>
</testsuite>
`,
  );
});

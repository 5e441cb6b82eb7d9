import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseJUnit } from '../../../src/gate/parse-junit.ts';
import { parseXml } from '../../../src/gate/parse-xml.ts';
import { renderJUnit } from '../../../src/gate/render-junit.ts';
import { describeVerdict, type GateResult } from '../../../src/release/gate-report.ts';

/** As pytest 7 writes it. */
const pytest = (suite: string, cases: string): string =>
  `<?xml version="1.0" encoding="utf-8"?><testsuites><testsuite name="pytest" ${suite} time="0.02">${cases}</testsuite></testsuites>`;
const wrongOf = (text: string | undefined): string => {
  const found = parseJUnit(text);
  return 'wrong' in found ? found.wrong : `no fault found: ${JSON.stringify(found)}`;
};

describe('a report of a test tool', () => {
  it('gives its cases with what failed and what was skipped', () => {
    const text = pytest(
      'errors="0" failures="1" skipped="1" tests="3"',
      `<testcase classname="test_sea" name="test_level" time="0.25" />
       <testcase classname="test_sea" name="test_salt[&lt;1&gt;]"><failure message="assert 1 == 2">def test():<![CDATA[ <x> ]]></failure></testcase>
       <testcase name="test_ice"><skipped type="pytest.skip" message="no ice">test_sea.py:9: no ice</skipped></testcase>`,
    );

    expect(parseJUnit(text)).toEqual({
      cases: [
        { name: 'test_level', className: 'test_sea', seconds: 0.25 },
        { name: 'test_salt[<1>]', className: 'test_sea', seconds: 0, failure: 'assert 1 == 2\ndef test(): <x>' },
        { name: 'test_ice', className: '', seconds: 0, skipped: 'no ice\ntest_sea.py:9: no ice' },
      ],
    });
  });

  it.each([
    ['is missing', undefined, 'there is no report'],
    ['is empty', ' \n', 'the report is empty'],
    ['is cut short', pytest('tests="1"', '<testcase name="a"/>').slice(0, -20), 'is cut short'],
    ['is cut short in a tag', pytest('tests="1"', '<testcase name="a"/>').slice(0, 120), 'is cut short'],
    ['is of something else', '<html><body/></html>', 'no JUnit XML, but a html'],
    ['has no test', pytest('tests="0"', ''), 'has no test in it'],
    [
      'claims success with a failure inside',
      pytest('tests="1" failures="0"', '<testcase name="a"><failure/></testcase>'),
      'contradicts itself: it claims 0 failures and errors, and has 1',
    ],
    [
      'claims success with an error inside',
      pytest('tests="1" errors="0"', '<testcase name="a"><error/></testcase>'),
      'contradicts itself',
    ],
    [
      'claims a failure that it does not have',
      pytest('tests="1" failures="2"', '<testcase name="a"/>'),
      'it claims 2 failures and errors, and has 0',
    ],
    ['claims more tests than it has', pytest('tests="9"', '<testcase name="a"/>'), 'it claims 9 tests, and has 1'],
    ['claims what is no number', pytest('tests="many"', '<testcase name="a"/>'), 'contradicts itself'],
    ['closes what it has not opened', '<testsuite></testsuites>', 'closes testsuites inside testsuite'],
    ['goes on after its end', '<testsuite/><testsuite/>', 'two root elements'],
    ['brings entities of its own', '<!DOCTYPE x [<!ENTITY a "b">]><testsuite/>', 'not well-formed'],
  ])('counts for nothing where it %s', (_, text, wrong) => {
    expect(wrongOf(text)).toContain(wrong);
  });

  it('ends in cases or in a reason, whatever the text, and in time', () => {
    const piece = fc.oneof(
      fc.string(),
      fc.constantFrom(
        '<testsuite ',
        'tests="1"',
        '>',
        '<testcase name="a"',
        '/>',
        '<failure>',
        '</testsuite>',
        '<![CDATA[',
        ']]>',
        '&#x41;',
        '<!--',
      ),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
        const found = parseJUnit(pieces.join(''));
        expect('wrong' in found ? found.wrong.length : found.cases.length).toBeGreaterThan(0);
      }),
      { numRuns: 300 },
    );
  });
});

describe('gate.xml', () => {
  const result = fc.record({
    name: fc.string({ unit: 'binary', minLength: 1 }),
    status: fc.constantFrom<GateResult['status']>('passed', 'failed', 'skipped', 'expected', 'waived'),
    seconds: fc.constant(0.5),
    failure: fc.string({ unit: 'binary' }),
    reason: fc.string({ unit: 'binary' }),
  });

  it('is well-formed with every failure counted, whatever the checks say', () => {
    fc.assert(
      fc.property(fc.array(result, { minLength: 1, maxLength: 5 }), (results) => {
        const text = renderJUnit({
          ...{ reportVersion: 1, release: 'a-1/x', imageSha256: '0'.repeat(64), time: '2026-11-21T00:00:00.000Z' },
          ...{ seconds: 1, results, verdict: describeVerdict(results) },
        });
        const root = parseXml(text);
        const failures = results.filter(({ status }) => status === 'failed').length;

        expect(root.attributes.get('failures')).toBe(String(failures));
        expect(root.children.filter(({ name }) => name === 'testcase')).toHaveLength(results.length);
        const found = parseJUnit(text);
        expect('cases' in found && found.cases.filter(({ failure }) => failure !== undefined)).toHaveLength(failures);
      }),
      { numRuns: 100 },
    );
  });

  it('says what was let pass, why and until when, and which image it is about', () => {
    const text = renderJUnit({
      ...{
        reportVersion: 1,
        release: 'a-1/x',
        imageSha256: 'ab'.repeat(32),
        time: '2026-11-21T00:00:00.000Z',
        seconds: 1,
      },
      results: [
        {
          name: 'import <iris>',
          status: 'expected',
          seconds: 1,
          failure: 'no "numpy" 2',
          reason: 'waits',
          until: '2027-03-31',
        },
      ],
      verdict: 'passed',
    });

    expect(text).toContain(`<property name="image.sha256" value="${'ab'.repeat(32)}"/>`);
    expect(text).toContain(
      `name="import &lt;iris&gt;" time="1.000">\n    <skipped message="expected until 2027-03-31: waits">no &quot;numpy&quot; 2</skipped>`,
    );
  });
});

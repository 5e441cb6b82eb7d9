import { describe, expect, it } from 'vitest';
import { describeStages, renderTable } from '../../../ci/measure-build.ts';
import { compareRounds } from '../../../ci/measure-startup.ts';
import { renderJUnit } from '../../../src/gate/render-junit.ts';

describe('compareRounds', () => {
  it('takes the ratio within each round, so that a slow round counts on both sides', () => {
    expect(compareRounds([20, 2000, 40], [10, 1000, 10])).toEqual({
      median: 2,
      lowerQuartile: 2,
      upperQuartile: 3,
    });
  });

  it('refuses to compare nothing, and rounds that only one side ran', () => {
    expect(() => compareRounds([], [])).toThrow(RangeError);
    expect(() => compareRounds([1, 2], [1])).toThrow(RangeError);
  });
});

describe('describeStages', () => {
  it('takes the seconds of the gate out of its report, whatever the checks are called', () => {
    const gateReport = renderJUnit({
      ...{ reportVersion: 1, release: 'a-1/20261121T000000Z-00000000', imageSha256: '0'.repeat(64) },
      ...{ time: '2026-11-21T00:00:00.000Z', seconds: 2, verdict: 'failed' },
      results: [
        { name: 'import time="9"', status: 'passed', seconds: 1.5 },
        { name: 'the image mounts', status: 'failed', seconds: 1.75, failure: 'time="8"' },
      ],
    });

    expect(describeStages({ stageSeconds: { solve: 1, pack: 2.25 } }, gateReport)).toEqual([
      ['solve', '1.0'],
      ['pack', '2.3'],
      ['gate (2 checks)', '2.0'],
      ['sum', '5.3'],
    ]);
  });
});

describe('renderTable', () => {
  it('aligns the first column to the left and numbers to the right', () => {
    expect(renderTable(['what', 'n'], [['packages', 184]])).toBe('| what | n |\n| --- | ---: |\n| packages | 184 |');
  });
});

import { expect, it } from 'vitest';
import { parseOldestJob } from '../../../src/site/scheduler.ts';

it('finds the running job that was submitted first', () => {
  expect(parseOldestJob('2026-11-20T10:00:00 12\n2026-11-19T09:30:00 7_3  \n2026-11-21T00:00:00 99\n')).toEqual({
    state: 'known',
    submittedMs: Date.UTC(2026, 10, 19, 9, 30),
    job: '7_3',
  });
});

it('knows that no job runs, and takes no answer that it cannot read for that', () => {
  expect(parseOldestJob('\n')).toEqual({ state: 'none' });
  expect(parseOldestJob('N/A 12\n')).toMatchObject({ state: 'unknown' });
});

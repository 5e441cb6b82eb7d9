// What verifying a release tells while it reads.
import { expect, it, onTestFinished } from 'vitest';
import { verifyRelease } from '../../../src/release/verify-release.ts';
import { MadeSite } from './made-site.ts';

it('says once that all is read, though it reads what releases share as well', async () => {
  const site = await MadeSite.make();
  onTestFinished(() => site.remove());
  const { fullName, id } = await site.addRelease();
  const told: string[] = [];

  const verified = await verifyRelease(site.layout, fullName, id, {
    report: (event) => {
      if (event.type === 'progress') told.push(event.done >= event.total ? 'all' : 'some');
    },
  });

  expect(verified.problems).toEqual([]);
  expect(told.filter((one) => one === 'all')).toEqual(['all']);
  expect(told.at(-1)).toBe('all');
});

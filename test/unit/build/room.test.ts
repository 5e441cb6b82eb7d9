import { expect, it } from 'vitest';
import { findShortRoom, listNeeds } from '../../../src/build/room.ts';

const dirs = { packageCache: '/admin/cache/packages', staging: '/local/b-1' };
const needs = listNeeds(dirs, { downloads: 2, downloadBytes: 1_000_000, cachedBytes: 500_000 });

it('finds nothing wrong where there is as much as is certainly needed, or nobody can tell', () => {
  expect(findShortRoom(needs, [{ mountPoint: '/admin', bytes: 1_000_000, inodes: 2 }, undefined])).toEqual([]);
});

it('names the file system, what is needed and what is free, and each that is too small', () => {
  const rooms = [
    { mountPoint: '/admin', bytes: 999_999, inodes: 2 },
    { mountPoint: '/local', bytes: 1000 },
  ];

  expect(findShortRoom(needs, rooms)).toMatchObject([
    { code: 'DISK_TOO_SMALL', at: '/admin', message: expect.stringContaining('takes 1.0 MB or more') as string },
    { code: 'DISK_TOO_SMALL', at: '/local', message: expect.stringContaining('and 1 kB are free') as string },
  ]);
});

it('adds up what goes to one file system, and counts inodes where it has a number of them', () => {
  const whole = { mountPoint: '/', bytes: 2_199_999, inodes: 100 };
  expect(findShortRoom(needs, [whole, whole])).toMatchObject([{ at: '/' }]);
  const enough = { mountPoint: '/', bytes: 2_200_000, inodes: 100 };
  expect(findShortRoom(needs, [enough, enough])).toEqual([]);
  const oneInode = { ...enough, inodes: 1 };
  expect(findShortRoom(needs, [oneInode, oneInode])).toMatchObject([
    { message: expect.stringContaining('2 inodes or more') as string },
  ]);
});

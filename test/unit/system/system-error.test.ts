import { expect, it } from 'vitest';
import { describeFullDisk, describeSystemError } from '../../../src/system/system-error.ts';

const systemError = (facts: object): Error => Object.assign(new Error('as node words it'), facts);

it.each([
  ['EACCES', 'PERMISSION_DENIED', 'ls -ld /site/apps /site/apps/x'],
  ['EPERM', 'PERMISSION_DENIED', 'ls -ld /site/apps /site/apps/x'],
  ['EROFS', 'FILE_SYSTEM_READ_ONLY', 'ls -ld /site/apps /site/apps/x'],
  ['ENOSPC', 'DISK_FULL', 'df -h /site/apps'],
  ['ENOSPC', 'DISK_FULL', 'df -i /site/apps'], // nobody looked which of them there is none of
  ['EDQUOT', 'QUOTA_EXCEEDED', 'quota -s; df -h /site/apps'],
  ['EIO', 'DISK_FAILED', 'df -h /site/apps; dmesg'],
])('says where %s came from, and what to look at', (code, ours, look) => {
  const described = describeSystemError(systemError({ code, syscall: 'mkdir', path: '/site/apps/x' }));

  expect(described?.exit).toBe(4);
  expect(described?.problems).toMatchObject([{ code: ours, at: '/site/apps/x' }]);
  expect(described?.problems[0]?.message).toContain(`(mkdir: ${code})`);
  expect(described?.problems[0]?.hint).toContain(look);
});

it('names what was to be made by a copy or a rename, and does without a path where the kernel gives none', () => {
  const copy = systemError({ code: 'ENOSPC', syscall: 'copyfile', path: '/usr/bin/node', dest: '/site/node' });
  const write = systemError({ code: 'ENOSPC', syscall: 'write' });

  expect(describeSystemError(copy)?.problems[0]?.at).toBe('/site/node');
  expect(describeSystemError(write)?.problems[0]).toMatchObject({ at: undefined, hint: 'condense doctor' });
});

it('leaves everything else to be our bug', () => {
  expect(describeSystemError(systemError({ code: 'ENOENT', syscall: 'open', path: '/x' }))).toBeUndefined();
  expect(describeSystemError(systemError({ code: 'EACCES' }))).toBeUndefined();
  expect(describeSystemError('EACCES')).toBeUndefined();
});

it('gives a full disk the exit code of what it ended, and leaves other errors alone', () => {
  const full = systemError({ code: 'EDQUOT', syscall: 'write', path: '/site/x' });
  const denied = systemError({ code: 'EACCES', syscall: 'open', path: '/site/x' });

  expect(describeFullDisk(full, 7)).toMatchObject({ exit: 7, problems: [{ code: 'QUOTA_EXCEEDED', at: '/site/x' }] });
  expect(describeFullDisk(denied, 7)).toBe(denied);
});

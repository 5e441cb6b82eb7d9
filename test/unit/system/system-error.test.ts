import { expect, it } from 'vitest';
import { describeSystemError } from '../../../src/system/system-error.ts';

const systemError = (facts: object): Error => Object.assign(new Error('as node words it'), facts);

it.each([
  ['EACCES', 'PERMISSION_DENIED', 'ls -ld /site/apps /site/apps/x'],
  ['EPERM', 'PERMISSION_DENIED', 'ls -ld /site/apps /site/apps/x'],
  ['EROFS', 'FILE_SYSTEM_READ_ONLY', 'ls -ld /site/apps /site/apps/x'],
  ['ENOSPC', 'DISK_FULL', 'df -h /site/apps'],
  ['EDQUOT', 'QUOTA_EXCEEDED', 'df -h /site/apps'],
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

// What is probed on this very machine.
import { execFile } from 'node:child_process';
import os from 'node:os';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { probeVirtualPackages } from '../../../src/conda/virtual-packages.ts';

test('finds the C library that getconf names, and the kernel that is running', async () => {
  const { stdout } = await promisify(execFile)('getconf', ['GNU_LIBC_VERSION']);

  const found = await probeVirtualPackages({}, {});

  expect(`glibc ${found['__glibc'] ?? ''}`).toBe(stdout.trim());
  expect(os.release().startsWith(found['__linux'] ?? 'none')).toBe(true);
  expect(found['__unix']).toBe('0');
  expect(found['__archspec']).toMatch(/^(x86_64(_v[234])?|aarch64|ppc64)$/);
});

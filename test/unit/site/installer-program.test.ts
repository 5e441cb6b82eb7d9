import { describe, expect, it } from 'vitest';
import { parseInstallerVersion } from '../../../src/site/installer-program.ts';

describe('what an installer is', () => {
  it.each([
    ['micromamba', '2.0.5\n', 'libmamba', 'micromamba 2.0.5', true],
    ['micromamba', '1.0.0\n', 'libmamba', 'micromamba 1.0.0', false],
    ['mamba', '2.3.1\n', 'libmamba', 'mamba 2.3.1', true],
    ['mamba', 'mamba 1.5.8\nconda 24.1.2\n', 'conda', 'mamba 1.5.8, conda 24.1.2', false],
    ['conda', 'conda 24.9.0\n', 'conda', 'conda 24.9.0', true],
    ['conda', 'conda 23.11.0\n', 'conda', 'conda 23.11.0', false],
    ['conda', 'conda 26.5.1\n', 'conda', 'conda 26.5.1', true],
  ])('is read from what %s says: %j', (name, output, kind, version, takesSha256) => {
    expect(parseInstallerVersion(name, output)).toEqual({ kind, version, takesSha256 });
  });

  it('is nothing that another program says', () => {
    for (const [name, output] of [
      ['bash', 'GNU bash, version 5.2.15\n'],
      ['python', '3.13.1\n'],
      ['micromamba', ''],
      ['micromamba', '2.0.5\nand more\n'],
    ] as const)
      expect(parseInstallerVersion(name, output), name).toBeUndefined();
  });
});

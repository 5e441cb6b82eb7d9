import { describe, expect, it } from 'vitest';
import type { LockedPackage } from '../../../src/conda/lock.ts';
import { readPipSection } from '../../../src/pip/pip-section.ts';
import { isWithinLimit, planUploadLimit } from '../../../src/pip/upload-limit.ts';

const SPEC = '/envs/a/environment.yml';
const section = (...lines: readonly string[]) =>
  readPipSection(
    lines.map((text, index) => ({ text, at: `${SPEC}:${index + 5}:7` })),
    SPEC,
  );
const lockOf = (pip: string, excludeNewer?: string) => ({
  packages: [{ name: 'pip', version: pip } as LockedPackage],
  excludeNewer,
});

describe('the quarantine of a pip section', () => {
  it('is asked of pip, by the time that the conda packages were chosen by, in a form that every Python reads', async () => {
    const greet = await section('greet');

    expect(planUploadLimit(lockOf('26.0', '2026-11-01T12:00:00.000Z'), greet, SPEC)).toEqual([
      '--uploaded-prior-to',
      '2026-11-01T12:00:00+00:00',
    ]);
    expect(planUploadLimit(lockOf('23.0.1'), greet, SPEC)).toEqual([]);
  });

  it('is refused at the line where the environment has a pip that would not keep it', async () => {
    const greet = await section('greet');

    expect(() => planUploadLimit(lockOf('25.3', '2026-11-01T00:00:00Z'), greet, SPEC)).toThrow(
      expect.objectContaining({
        problems: [
          {
            code: 'PIP_QUARANTINE',
            at: `${SPEC}:5:7`,
            message:
              'pip 25.3 of the environment cannot leave out what was uploaded since 2026-11-01T00:00:00Z, as exclude_newer demands',
            hint: 'write - pip>=26 among the conda packages',
          },
        ],
      }),
    );
  });

  it('is nothing to pip where no index is asked', async () => {
    const lock = lockOf('23.0.1', '2026-11-01T00:00:00Z');

    expect(planUploadLimit(lock, await section('--no-index', '--find-links /usr', 'greet'), SPEC)).toEqual([]);
    expect(planUploadLimit(lock, await section(), SPEC)).toEqual([]);
  });

  it('lets what was resolved before stand only where that was within it', () => {
    const limit = lockOf('26.0', '2026-11-01T00:00:00Z');

    expect(isWithinLimit(lockOf('26.0', '2026-11-01T00:00:00.000Z'), limit)).toBe(true);
    expect(isWithinLimit(lockOf('26.0', '2026-11-02T00:00:00Z'), limit)).toBe(false);
    expect(isWithinLimit(lockOf('26.0'), limit)).toBe(false);
    expect(isWithinLimit(lockOf('26.0'), lockOf('26.0'))).toBe(true);
  });
});

import { describe, expect, it } from 'vitest';
import type { LockedPackage } from '../../../src/conda/lock.ts';
import { planOtherInstall, renderCondarc, renderExplicit } from '../../../src/conda/other-installer-plan.ts';

const tool: LockedPackage = {
  name: 'tool',
  version: '1!1.0',
  build: '0',
  buildNumber: 0,
  channel: 'https://conda.example/forge',
  subdir: 'noarch',
  url: 'https://conda.example/forge/noarch/tool-1!1.0-0.conda',
  sha256: 'a'.repeat(64),
  md5: 'd'.repeat(32),
};
const inside = '/opt/conda/a-1/.condense-installer';

describe('the explicit file', () => {
  it('names the archives of the scratch with the digest that the program takes', () => {
    expect(renderExplicit([tool], `${inside}/channel`, { takesSha256: true })).toBe(
      `@EXPLICIT\nfile://${inside}/channel/noarch/tool-1!1.0-0.conda#sha256:${'a'.repeat(64)}\n`,
    );
    expect(renderExplicit([tool], inside, { takesSha256: false })).toContain(`.conda#${'d'.repeat(32)}\n`);
    expect(renderExplicit([{ ...tool, md5: undefined }], inside, { takesSha256: false })).toMatch(/\.conda\n$/);
  });
});

describe('what another installer is asked', () => {
  it('is to install offline, from that file, into the prefix as it is in the image', () => {
    const { program, args } = planOtherInstall(
      { program: '/opt/m/bin/micromamba', kind: 'libmamba' },
      '/opt/conda/a-1',
    );

    expect(program).toBe('/bin/sh');
    expect(args).toEqual([
      ...['-c', 'umask 022 && exec "$0" "$@"', '/opt/m/bin/micromamba', 'install', '--yes', '--quiet', '--offline'],
      ...['--prefix', '/opt/conda/a-1', '--file', `${inside}/explicit.txt`],
      ...['--no-rc', '--no-env', '--root-prefix', `${inside}/root`, '--no-pyc'],
    ]);
  });

  it('keeps every cache, home and configuration in the scratch', () => {
    for (const kind of ['libmamba', 'conda'] as const) {
      const { env, args } = planOtherInstall({ program: '/p', kind }, '/opt/conda/a-1');
      const paths = Object.entries(env).filter(([name, value]) => value.startsWith('/') && name !== 'PATH');
      expect(paths.length).toBeGreaterThan(4);
      for (const [name, value] of paths) expect(value, name).toMatch(/^\/opt\/conda\/a-1\/\.condense-installer\//);
      expect(args).toContain('--offline');
    }
    expect(planOtherInstall({ program: '/p', kind: 'conda' }, '/opt/conda/a-1').env).toMatchObject({
      CONDARC: `${inside}/condarc`,
      CONDA_PKGS_DIRS: `${inside}/root/pkgs`,
      CONDA_OFFLINE: 'true',
    });
    expect(renderCondarc(inside)).toContain(`pkgs_dirs: ["${inside}/root/pkgs"]\n`);
  });
});

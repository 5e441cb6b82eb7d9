import { describe, expect, it } from 'vitest';
import { makePackage } from '../release/make-manifest.ts';
import { gated, makeCatalogue, makeRelease } from './make-catalogue.ts';

describe('planCatalogue', () => {
  it('groups releases by environment, the newest first, and says which are live under which names since when', () => {
    const old = makeRelease(1);
    const next = makeRelease(2, { fullName: 'a-2', version: '2' });
    const other = makeRelease(3, { fullName: 'b-1', environment: 'b' });
    const history = [
      { generation: 7, time: '2026-11-05', changes: [{ kind: 'version' as const, name: 'a-1', to: old.id }] },
    ];

    const { environments, live } = makeCatalogue(
      [old, other, next].map((one) => gated(one)),
      [[old, 'a'], [other]],
      history,
    );

    expect(environments.map(({ name }) => name)).toEqual(['a', 'b']);
    expect(environments[0]?.releases.map(({ id }) => id)).toEqual([next.id, old.id]);
    expect(environments[0]?.versions).toMatchObject([{ fullName: 'a-1', aliases: ['a'], since: '2026-11-05' }]);
    expect(environments[1]?.versions).toMatchObject([{ fullName: 'b-1', aliases: [], since: undefined }]);
    expect(live).toEqual({ generation: 7, time: '2026-11-05' });
  });

  it('compares each release with the one before it of the same environment, whatever its version', () => {
    const old = makeRelease(1, { packages: [makePackage('x', '1')] });
    const other = makeRelease(2, { fullName: 'b-1', environment: 'b' });
    const next = makeRelease(3, {
      fullName: 'a-2',
      version: '2',
      packages: [makePackage('x', '2'), makePackage('y', '1')],
    });

    const releases = makeCatalogue([next, other, old].map((one) => gated(one))).environments[0]?.releases ?? [];

    expect(releases.map(({ changes }) => changes?.since)).toEqual([{ fullName: 'a-1', id: old.id }, undefined]);
    expect(releases[0]?.changes?.comparison.packages).toMatchObject({
      added: [{ name: 'y' }],
      changed: [{ to: { version: '2' } }],
    });
  });

  it('leaves out what never passed a gate, and keeps what is damaged, by its name alone where nothing else can be read', () => {
    const ungated = { ...gated(makeRelease(1)), gated: false };
    const problem = { code: 'MANIFEST_INVALID', message: 'is cut short' };
    const damaged = {
      fullName: 'b-with-hyphens-26.11',
      id: '20261102T100000Z-00000000',
      gated: true,
      problems: [problem],
    };

    expect(makeCatalogue([ungated, damaged]).environments).toMatchObject([
      { name: 'b-with-hyphens', versions: [], releases: [{ damages: ['MANIFEST_INVALID'], isLive: false }] },
    ]);
  });

  it('believes no manifest that names another environment than its directory', () => {
    const lying = makeRelease(1, { environment: '../../up', version: '1' });
    expect(makeCatalogue([gated(lying)]).environments.map(({ name }) => name)).toEqual(['a']);
  });
});

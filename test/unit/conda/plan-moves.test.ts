// Which unpacked directories may be moved whole.
import { describe, expect, it } from 'vitest';
import type { UnpackedMember } from '../../../src/conda/archive.ts';
import type { LinkItem, UnpackedPackage } from '../../../src/conda/link-plan.ts';
import { planMoves } from '../../../src/conda/plan-moves.ts';

const file: UnpackedMember = { kind: 'file', mode: 0o644, mtimeSeconds: 0, sizeBytes: 1, sha256: '' };

function unpacked(name: string, ...members: string[]): UnpackedPackage {
  return {
    locked: { name } as UnpackedPackage['locked'],
    metadata: {} as UnpackedPackage['metadata'],
    members: new Map(members.map((member) => [member, file])),
    place: `/scratch/${name}`,
  };
}

function item(owner: UnpackedPackage, from: string, path = from): LinkItem {
  const entry = { path: from, type: 'hardlink', noLink: false } as const;
  return { path, owner, source: { kind: 'file', entry, mode: 0o644 }, mtimeSeconds: 0, isSource: false };
}

function plan(items: LinkItem[], isReady: (one: LinkItem) => boolean = () => true): unknown {
  const moves = planMoves(items, isReady);
  return {
    directories: moves.directories.map(({ owner, from, to }) => `${owner.locked.name}:${from} -> ${to}`),
    items: moves.items.map(({ path }) => path),
  };
}

describe('an unpacked directory', () => {
  it('moves whole, the topmost that can, where no other package has anything', () => {
    const one = unpacked('one', 'lib/x/a', 'lib/x/y/b', 'lib/c');
    const two = unpacked('two', 'lib/d');
    const items = [item(one, 'lib/x/a'), item(one, 'lib/x/y/b'), item(one, 'lib/c'), item(two, 'lib/d')];

    expect(plan(items)).toEqual({ directories: ['one:lib/x -> lib/x'], items: ['lib/c', 'lib/d'] });
  });

  it('moves to where noarch packages go, never over what others have there', () => {
    const one = unpacked('one', 'site-packages/x/a', 'site-packages/b');
    const two = unpacked('two', 'lib/python3/site-packages/x2/c');
    const items = [
      item(one, 'site-packages/x/a', 'lib/python3/site-packages/x/a'),
      item(one, 'site-packages/b', 'lib/python3/site-packages/b'),
      item(two, 'lib/python3/site-packages/x2/c'),
    ];

    expect(plan(items)).toEqual({
      directories: [
        'one:site-packages/x -> lib/python3/site-packages/x',
        'two:lib/python3/site-packages/x2 -> lib/python3/site-packages/x2',
      ],
      items: ['lib/python3/site-packages/b'],
    });
  });

  it('of which another package has a file stays, and its other directories move', () => {
    const one = unpacked('one', 'x/a', 'x/y/b', 'x/z/c');
    const two = unpacked('two', 'x/y/new');
    const items = [item(one, 'x/a'), item(one, 'x/y/b'), item(one, 'x/z/c'), item(two, 'x/y/new')];

    expect(plan(items)).toEqual({ directories: ['one:x/z -> x/z'], items: ['x/a', 'x/y/b', 'x/y/new'] });
  });

  it('that holds what the prefix is not to have stays: a file that lost to another package, or that no list names', () => {
    const one = unpacked('one', 'x/a', 'x/lost', 'x/y/b');
    const items = [item(one, 'x/a'), item(one, 'x/y/b')];

    expect(plan(items)).toEqual({ directories: ['one:x/y -> x/y'], items: ['x/a'] });
  });

  it('that holds a file still to be written stays', () => {
    const one = unpacked('one', 'x/a', 'x/b');

    expect(plan([item(one, 'x/a'), item(one, 'x/b')], ({ path }) => path !== 'x/b')).toEqual({
      directories: [],
      items: ['x/a', 'x/b'],
    });
  });

  it('moves under another name, but is never the prefix itself', () => {
    const one = unpacked('one', 'a', 'python-scripts/tool');
    const items = [item(one, 'a'), item(one, 'python-scripts/tool', 'bin/tool')];

    expect(plan(items)).toEqual({ directories: ['one:python-scripts -> bin'], items: ['a'] });
  });
});

import { expect, it } from 'vitest';
import { describeComparison } from '../../../src/cli/describe-comparison.ts';
import { describeFaceChanges, planFaceChanges } from '../../../src/release/face-changes.ts';
import { compareReleases } from '../../../src/release/release-diff.ts';
import { makeFace as face } from './make-face.ts';
import { makeManifest, makePackage } from './make-manifest.ts';

const sha = (letter: string): string => letter.repeat(64);

it('tells packages, commands, size, module, inputs and tools of two releases apart', () => {
  const from = makeManifest({
    packages: [makePackage('numpy', '1.0'), makePackage('gone', '1'), makePackage('build', '2', 'h0_0')],
    commands: ['python3', 'old'],
    activation: { changes: [{ kind: 'set', name: 'A', value: '1' }], warnings: [] },
  });
  const to = makeManifest({
    packages: [
      makePackage('numpy', '1.1'),
      makePackage('numpy', '1.0', 'pypi_0', 'pip'),
      makePackage('build', '2', 'h1_1'),
    ],
    commands: ['python3', 'new'],
    activation: {
      changes: [
        { kind: 'set', name: 'A', value: '2' },
        { kind: 'prepend', name: 'P', entries: ['/a', '/b'] },
      ],
      warnings: [],
    },
    image: { sha256: sha('6'), sizeBytes: 2_500_000, inodes: 12 },
    inputs: { base: sha('1'), launcher: sha('9'), lock: sha('8'), drop: sha('7') },
    tools: { mksquashfs: '4.6', python: '3' },
  });

  expect(describeComparison(compareReleases(from, to))).toEqual([
    'packages:',
    '  + numpy 1.0 (pip)',
    '  - gone 1 h0_0',
    '  numpy 1.0 -> 1.1',
    '  build 2 h0_0 -> h1_1',
    'commands:',
    '  + new',
    '  - old',
    'module:',
    '  + prepend P /a:/b',
    '  set A 1 -> set A 2',
    'image: 1 kB -> 2.5 MB (+2.5 MB), 10 -> 12 inodes inside',
    'inputs that differ: drop, launcher, lock',
    'tool mksquashfs: 4.5.1 -> 4.6',
    'tool python: none -> 3',
  ]);
});

it('says of a release for another launcher and base that its packages are the same', () => {
  const packages = [makePackage('numpy', '1.0')];
  const from = makeManifest({ packages });
  const to = makeManifest({ packages, inputs: { ...from.inputs, base: sha('9'), launcher: sha('9') } });
  const changes = planFaceChanges(face({ 'a-1': 'x' }), face({ 'a-1': 'y' }), () => compareReleases(from, to));

  expect(describeFaceChanges(changes)).toEqual([
    'a-1  x -> y  (packages are the same; changed inputs: base, launcher)',
  ]);
  expect(describeComparison(compareReleases(from, to))).toEqual([
    'packages are the same',
    'commands are the same',
    'what the module sets is the same',
    'image: 1 kB, 10 inodes inside',
    'inputs that differ: base, launcher',
  ]);
});

it('finds nothing between a release and itself', () => {
  const one = makeManifest({ packages: [makePackage('numpy', '1.0')] });
  const { packages, commands, activation, inputs, tools } = compareReleases(one, one);

  expect([packages, activation]).toEqual([
    { added: [], removed: [], changed: [] },
    { added: [], removed: [], changed: [] },
  ]);
  expect([commands, inputs, tools]).toEqual([{ added: [], removed: [] }, [], []]);
});

it('moves no cursor with what a package calls its commands', () => {
  const to = makeManifest({ commands: ['python3', 'x\u001b[2Jy', 'z\u202e'] });

  expect(describeComparison(compareReleases(makeManifest(), to))).toEqual(
    expect.arrayContaining(['  + x\\u{1b}[2Jy', '  + z\\u{202e}']),
  );
});

it('tells what is new, gone and moved of versions and aliases, by name', () => {
  const before = face({ 'a-1': 'x', 'a-2': 'y' }, { a: 'a-1', b: 'a-2' });
  const after = face({ 'a-1': 'z', 'a-3': 'w' }, { a: 'a-3', c: 'a-1' });

  expect(describeFaceChanges(planFaceChanges(before, after))).toEqual([
    'a-1  x -> z',
    'a-2  is taken away: y',
    'a-3  is new: w',
    'alias a  a-1 -> a-3',
    'alias b  is taken away: a-2',
    'alias c  is new: a-1',
  ]);
  expect(planFaceChanges(before, before)).toEqual([]);
});

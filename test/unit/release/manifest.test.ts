import { expect, it } from 'vitest';
import {
  describeReleaseId,
  parseManifest,
  recomputeReleaseId,
  renderManifest,
  type ReleaseFacts,
  type ReleaseManifest,
} from '../../../src/release/manifest.ts';

const sha256 = 'a'.repeat(64);
const input = { file: '/x', sha256, text: '' };
const facts: ReleaseFacts = {
  manifestVersion: 2,
  fullName: 'a-1',
  environment: 'a',
  version: '1',
  createdAt: '2026-11-21T04:40:52.123Z',
  createdBy: { user: 'u', host: 'h' },
  inputsDigest: sha256,
  inputs: { lock: sha256, base: sha256 },
  tools: { node: '26', mksquashfs: '4' },
  base: { digest: '0123456789abcdef', sha256 },
  node: { version: '26.10.0', sha256 },
  spec: input,
  config: input,
  image: { sha256, sizeBytes: 1, inodes: 1 },
  activation: { changes: [{ kind: 'set', name: 'A', value: 'b' }], warnings: [] },
  commands: ['hello'],
  packages: [],
  notes: [],
  stageSeconds: { pack: 1.5 },
};
const manifest: ReleaseManifest = {
  ...facts,
  id: describeReleaseId(facts),
  files: [{ path: 'env.sqsh', sha256, sizeBytes: 1, mode: '0444' }],
  links: [{ path: 'bin/hello', target: '../launcher' }],
};
const read = (changes: object): ReleaseManifest => parseManifest(JSON.stringify({ ...manifest, ...changes }), 'm.json');
const withoutKeys = (...keys: string[]): object =>
  Object.fromEntries(Object.entries(manifest).filter(([key]) => !keys.includes(key)));

it('reads back what it has written, and gives the same id whatever the order of the keys', () => {
  const again = parseManifest(renderManifest(manifest), 'm.json');
  const turned = Object.fromEntries(Object.entries(manifest).reverse()) as unknown as ReleaseManifest;

  expect(again).toEqual(manifest);
  expect(manifest.id).toMatch(/^20261121T044052Z-[0-9a-f]{8}$/);
  expect(recomputeReleaseId(again)).toBe(manifest.id);
  expect(recomputeReleaseId(turned)).toBe(manifest.id);
  expect(recomputeReleaseId(read({ commands: ['other'] }))).not.toBe(manifest.id);
});

it('gives the gate and the lists of files no part in the id, since they are made with it', () => {
  expect(recomputeReleaseId(read({ files: [], links: [], gate: { sha256, checks: [] } }))).toBe(manifest.id);
});

it('reads manifests of the first condense, which had no links, modes, node, spec, configuration and gate', () => {
  const first = {
    ...withoutKeys('links', 'node', 'spec', 'config'),
    manifestVersion: 1,
    files: [{ path: 'env.sqsh', sha256, sizeBytes: 1 }],
  };

  const parsed = parseManifest(JSON.stringify(first), 'm.json');

  expect(parsed.links).toBeUndefined();
  expect(recomputeReleaseId(parsed)).toBeUndefined();
});

it('refuses one that says it is of today and lacks what today’s have', () => {
  for (const key of ['links', 'node', 'spec', 'config'])
    expect(() => parseManifest(JSON.stringify(withoutKeys(key)), 'm.json')).toThrow(`${key} is missing`);
  expect(() => read({ files: [{ path: 'env.sqsh', sha256, sizeBytes: 1 }] })).toThrow('files one has no mode');
});

it('says of a later condense’s that it is later, and of what is no manifest that it is none', () => {
  expect(() => read({ manifestVersion: 7 })).toThrow('has manifestVersion 7, and this condense reads 1 and 2');
  for (const text of ['', 'null', '[]', '{}', '{"manifestVersion":3.5}', '{"manifestVersion":"9"}'])
    expect(() => parseManifest(text, 'm.json')).toThrow('is not a release manifest of this condense');
});

it('refuses paths of files that leave the release', () => {
  for (const path of ['../x', '/etc/passwd', 'a/../../x', 'a//b', '', '.'])
    expect(() => read({ files: [{ path, sha256, sizeBytes: 1, mode: '0444' }] })).toThrow(/files/);
});

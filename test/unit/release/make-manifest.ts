// A release's manifest with what a test does not care about filled in.
import { describeReleaseId, type ReleaseFacts, type ReleaseManifest } from '../../../src/release/manifest.ts';

const digest = (letter: string): string => letter.repeat(64);

export function makeManifest(changes: Partial<ReleaseFacts> = {}): ReleaseManifest {
  const facts: ReleaseFacts = {
    manifestVersion: 1,
    ...{ fullName: 'a-1', environment: 'a', version: '1' },
    createdAt: '2026-11-21T00:00:00.000Z',
    createdBy: { user: 'alice', host: 'build1' },
    inputsDigest: digest('0'),
    inputs: { base: digest('1'), launcher: digest('2'), lock: digest('3') },
    tools: { mksquashfs: '4.5.1' },
    base: { digest: '0'.repeat(16), sha256: digest('4') },
    image: { sha256: digest('5'), sizeBytes: 3, inodes: 10 },
    activation: { changes: [], warnings: [] },
    commands: ['python3'],
    packages: [],
    notes: [],
    stageSeconds: {},
    ...changes,
  };
  return { ...facts, id: describeReleaseId(facts), files: [] };
}

/** A package as a manifest lists it. */
export const makePackage = (
  name: string,
  version: string,
  build = 'h0_0',
  source?: 'pip',
): ReleaseManifest['packages'][number] => ({ name, version, build, sha256: digest('a'), ...(source && { source }) });

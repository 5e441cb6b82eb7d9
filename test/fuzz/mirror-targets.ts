// What a mirror makes of records and URLs that anybody may have written.
import assert from 'node:assert/strict';
import type { LockedPackage } from '../../src/conda/lock.ts';
import { parseWrittenRecord, renderOtherRecord } from '../../src/conda/other-records.ts';
import { channelDirectory } from '../../src/mirror/channel-directory.ts';
import { renderMirrorPage } from '../../src/mirror/mirror-page.ts';
import { planMirror } from '../../src/mirror/mirror-plan.ts';
import { completeRecord, parseRepodata } from '../../src/mirror/mirror-records.ts';
import type { FuzzTarget } from './fuzz-target.ts';

const channel = 'https://channel.example/main';
const locked: LockedPackage = {
  ...{
    name: 'a',
    version: '1',
    build: '0',
    buildNumber: 0,
    channel,
    subdir: 'noarch',
    url: `${channel}/noarch/a-1-0.conda`,
  },
  sha256: 'a'.repeat(64),
};
const plan = planMirror([
  {
    ...{ name: 'l', title: 'l', text: '' },
    lock: {
      ...{
        lockVersion: 1,
        platform: 'linux-64',
        inputsDigest: 'b'.repeat(64),
        channels: [channel],
        virtualPackages: {},
      },
      packages: [locked],
    },
  },
]);
const record = { name: 'a', version: '1', build: '0', license: 'MIT', size: 5, md5: 'b'.repeat(32), depends: ['b'] };

export const mirrorTargets: readonly FuzzTarget[] = [
  {
    name: 'a mirror’s records and page',
    seeds: [JSON.stringify({ packages: {}, 'packages.conda': { 'a-1-0.conda': record } })],
    tokens: ['"license":', '<script>', '"></td>', '&', 'null', '{', '[', '\\u202e', '__proto__', '"size":1e99', "'"],
    run: (input) => {
      for (const written of parseRepodata(input.toString()).values()) {
        const [one] = plan.channels.flatMap(({ subdirs }) => subdirs.flatMap(({ packages }) => packages));
        assert.ok(one);
        const complete = completeRecord(one, written, { md5: 'c'.repeat(32), sizeBytes: 3 });
        assert.equal(complete['sha256'], locked.sha256);
        const page = renderMirrorPage(plan, () => ({ ...complete, size: written['size'] }), channel);
        assert.doesNotMatch(page, /<script|<img|<\/td><\/td>/i);
        assert.equal(page.split('<').length, EMPTY_PAGE_TAGS);
      }
    },
  },
  {
    name: 'the URL of a mirrored channel',
    seeds: [
      'https://conda.example/forge/label/dev',
      'http://127.0.0.1:8080/a%20b',
      'file:///data/../x',
      'https://[::1]/%2e%2e',
      // Found by a run: a scheme may have more than letters.
      'wz+file:///data/../x',
    ],
    tokens: ['/', '..', '%2f', '%2e', ':', '@', '//', '?', '#', '\\', '.', '\0', 'ü', ' '],
    run: (input) => {
      const text = input.toString();
      if (!URL.canParse(text)) return;
      assert.match(channelDirectory(text), /^conda(?:\/[A-Za-z0-9_][A-Za-z0-9._-]*)*$/);
    },
  },
  {
    name: 'the record of another installer',
    seeds: [
      JSON.stringify({ ...record, files: ['x'], paths_data: { paths: [{ _path: 'lib/x', path_type: 'pyc_file' }] } }),
    ],
    tokens: ['"_path":', '../', '/', '"pyc_file"', '\\u0000', 'null', '[', '{', '.', '__pycache__'],
    run: (input) => {
      const written = parseWrittenRecord(input.toString(), locked);
      for (const { _path } of written.paths_data.paths) assert.doesNotMatch(_path, /^\/|(?:^|\/)\.\.(?:\/|$)|\0/);
      const made = renderOtherRecord({
        ...{ record: written, locked, index: record, bytecode: new Map(), recompiled: new Map() },
        ...{ requestedSpecs: ['a'], prefixInside: '/opt/conda/a-1' },
      });
      assert.equal((JSON.parse(made) as { url: string }).url, locked.url);
    },
  },
];

/** Whatever a record says, the page has the same elements. */
const EMPTY_PAGE_TAGS = renderMirrorPage(plan, () => ({}), channel).split('<').length;

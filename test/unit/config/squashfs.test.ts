import { test, expect } from 'vitest';
import { parseSiteConfig } from '../../../src/config/parse-site-config.ts';
import { problemsOf } from './problems.ts';

const parse = (lines: string) =>
  parseSiteConfig(`site: s\nprefix: /apps/conda\nadmin_dir: /admin\n${lines}`, '/etc/site.yaml', {
    tmpDir: '/tmp',
    uid: 7,
  });

const wrong: [what: string, lines: string, problems: string[]][] = [
  [
    'a compression that is not there',
    `squashfs: { compression: zstandard }\nenvironments: {}\n`,
    ["4:26  squashfs.compression must be one of zstd, gzip, lz4, xz, none, not the text 'zstandard'"],
  ],
  [
    'a compression with a slip',
    `squashfs: { compression: gzp }\nenvironments: {}\n`,
    ["4:26  squashfs.compression must be one of zstd, gzip, lz4, xz, none, not the text 'gzp' | did you mean gzip?"],
  ],
  [
    'a level that zstd does not have',
    `squashfs: { level: 23 }\nenvironments: {}\n`,
    ['4:20  squashfs.level must be from 1 to 22, not 23'],
  ],
  [
    'a level that gzip does not have',
    `squashfs: { compression: gzip, level: 10 }\nenvironments: {}\n`,
    ['4:39  squashfs.level must be from 1 to 9 for gzip, not 10'],
  ],
  [
    'a level for what has none',
    `squashfs: { compression: xz, level: 3 }\nenvironments: {}\n`,
    ['4:37  squashfs.level has no meaning for xz | remove the key, or choose zstd or gzip'],
  ],
  [
    'a level that is not whole',
    `squashfs: { level: 2.5 }\nenvironments: {}\n`,
    ['4:20  squashfs.level must be a whole number, but it is 2.5'],
  ],
  [
    'a block size in bytes',
    `squashfs: { block_size: 131072 }\nenvironments: {}\n`,
    ['4:25  squashfs.block_size must be one of 4K, 8K, 16K, 32K, 64K, 128K, 256K, 512K, 1M, not 131072'],
  ],
  [
    'a number as text',
    `squashfs: { processors: '4' }\nenvironments: {}\n`,
    ["4:25  squashfs.processors must be a whole number, but it is the text '4' | write processors: 4"],
  ],
];

test.each(wrong)('%s is told with its place', (_what, lines, problems) => {
  expect(problemsOf(() => parse(lines))).toEqual(problems);
});

// The readers of pip sections and of what pip says.
import assert from 'node:assert/strict';
import { parseInstallationReport } from '../../src/pip/installation-report.ts';
import { parseRecord } from '../../src/pip/dist-info.ts';
import { parseRequirementsFile } from '../../src/pip/pip-lines.ts';
import { parseRequirement, renderRequirement } from '../../src/pip/requirement.ts';
import type { FuzzTarget } from './fuzz-target.ts';

const requirements = [
  'numpy >=2,<3 ; python_version < "3.12" and (os_name == "posix" or "a" in extra) # why',
  `foo[a,b]==1.0 --hash=sha256:${'0'.repeat(64)}`,
  'foo @ git+https://x.example/foo.git@v1#egg=foo&subdirectory=a/b',
  './project[all] ; os_name == "posix"',
  '--index-url https://x.example/simple --pre -f "my wheels"',
  '-r more.txt\n-c c.txt \\\n--no-binary :all:',
];

export const pipTargets: readonly FuzzTarget[] = [
  {
    name: 'requirements files',
    seeds: requirements,
    tokens: [
      '\\\n',
      ' ; ',
      '; ',
      ' @ ',
      '${A}',
      ' -e ',
      '--hash=',
      '#',
      '"',
      "'",
      '[',
      ']',
      '(',
      ')',
      '===',
      'file:',
      'git+',
      '%2e',
    ],
    run: (input) => {
      for (const item of parseRequirementsFile(input.toString('utf8'), 'r.txt')) {
        if (item.kind !== 'requirement') continue;
        // What pip is given is one line, and means what was read.
        const text = renderRequirement(item.requirement, (at) => `/section/${at}`); // whole paths, as sections have them
        assert.ok(!/[\n\r\0]/.test(text), text);
        assert.ok(!text.startsWith('-'), text);
        if (item.requirement.source.kind === 'path') continue;
        const again = parseRequirement(text);
        assert.deepEqual(again, item.requirement);
      }
    },
  },
  {
    name: 'installation reports',
    seeds: [
      JSON.stringify({
        version: '1',
        install: [
          {
            download_info: {
              url: 'https://x.example/a-1-py3-none-any.whl',
              archive_info: { hashes: { sha256: 'ab' } },
            },
            ...{
              is_direct: false,
              requested: true,
              metadata: { name: 'A', version: '1', requires_dist: ['b; extra == "c"'] },
            },
          },
        ],
      }),
    ],
    tokens: ['null', '[]', '{}', '"vcs_info":', '"dir_info":{},', '\\u0000'],
    run: (input) => parseInstallationReport(input.toString('utf8')),
  },
  {
    name: 'RECORD files',
    seeds: ['a/b.py,sha256=x,1\n"a/c,""d"".py",,\n../../../bin/a,,\n'],
    tokens: ['../', '"', '""', ',', '\n', '/', './', '//'],
    run: (input) => {
      const files = parseRecord(input.toString('utf8'), 'lib/python3.11/site-packages');
      if (typeof files === 'string') return;
      for (const file of files) assert.ok(!file.startsWith('/') && !file.split('/').includes('..'), file);
    },
  },
];

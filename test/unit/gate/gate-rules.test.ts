import { describe, expect, it } from 'vitest';
import type { GatePolicy } from '../../../src/config/site-config.ts';
import { checkMetadata, readPipCheck } from '../../../src/gate/check-metadata.ts';
import { checkScripts, parseScripts } from '../../../src/gate/check-scripts.ts';
import { judge } from '../../../src/gate/exceptions.ts';
import { parseImportAnswers } from '../../../src/gate/import-program.ts';
import type { Inventory } from '../../../src/gate/inventory.ts';
import { planImports } from '../../../src/gate/plan-imports.ts';
import type { RawResult } from '../../../src/gate/raw-result.ts';
import { planUserTests } from '../../../src/gate/user-tests.ts';

const TODAY = '2026-11-21';
const exception = { reason: 'upstream issue 7', until: '2026-11-21' };
const over = { ...exception, until: '2026-11-20' };
const policy: GatePolicy = { imports: [], skip: {}, preload: {}, expectedFailures: {}, help: [], timeoutMs: 1 };
const failuresOf = (results: readonly RawResult[]): [string, string][] =>
  results.flatMap(({ name, failure }): [string, string][] => (failure === undefined ? [] : [[name, failure]]));

describe('exceptions and waivers', () => {
  const failed = { name: 'import iris', seconds: 1, failure: 'no' };

  it('lets a failure pass that is expected, with its reason, on the last day too', () => {
    expect(judge([failed], { 'import iris': exception }, [], TODAY)).toEqual({
      results: [{ ...failed, status: 'expected', ...exception }],
      warnings: [],
    });
  });

  it.each([
    ['fails', failed, 'held until 2026-11-20 (upstream issue 7), and that is over', 'no'],
    ['passes', { name: 'import iris', seconds: 1 }, 'held until 2026-11-20', 'the check passes now'],
  ])('fails by an expectation that is over, where the check %s', (_, raw, first, last) => {
    const [result] = judge([raw], { 'import iris': over }, [], TODAY).results;

    expect(result).toMatchObject({ status: 'failed' });
    expect(result?.failure).toContain(first);
    expect(result?.failure).toContain(last);
  });

  it('warns of what is no longer needed, or was never', () => {
    const { results, warnings } = judge(
      [{ name: 'import iris', seconds: 1 }],
      { 'import iris': exception, 'import irris': exception },
      [{ check: 'import xarry', reason: 'r' }],
      TODAY,
    );

    expect(results.map(({ status }) => status)).toEqual(['passed']);
    expect(warnings).toEqual([
      'import iris passes: remove gate.expected_failures["import iris"]',
      'gate.expected_failures["import irris"] is for no check of this gate: remove it',
      'there is no check "import xarry" to waive: names are those of the report',
    ]);
  });

  it('waives the check that is named and no other, and keeps what it said', () => {
    const other = { ...failed, name: 'import xarray' };
    const { results } = judge([failed, other], {}, [{ check: 'import iris', reason: 'only plots' }], TODAY);

    expect(results).toEqual([
      { ...failed, status: 'waived', reason: 'only plots' },
      { ...other, status: 'failed' },
    ]);
  });

  it('keeps what would act on a terminal, or has no end, out of messages', () => {
    const [result] = judge(
      [{ name: 'import x', seconds: 1, failure: `\u001B[2J\nno${'!'.repeat(9000)}` }],
      {},
      [],
      TODAY,
    ).results;

    expect(result?.failure).toMatch(/^\uFFFD\[2J\nno!+$/);
    expect(result?.failure).toHaveLength(4000);
  });

  it('waives nothing without which nothing else is known', () => {
    const mounts = { name: 'the image mounts', seconds: 1, failure: 'no', essential: true };
    const { results, warnings } = judge(
      [mounts],
      { 'the image mounts': exception },
      [{ check: 'the image mounts', reason: 'r' }],
      TODAY,
    );

    expect(results[0]).toMatchObject({ status: 'failed', essential: true });
    expect(warnings.join()).toContain('cannot be waived');
  });
});

describe('the imports', () => {
  const inventory: Inventory = {
    packages: [
      { name: 'iris', version: '1', build: '0', files: ['iris/__init__.py', 'cartopy/__init__.py', 'tool.py'] },
    ],
    unreadable: [],
    distributions: [
      {
        ...{ name: 'iris', version: '1', directory: 'iris-1.dist-info', files: null },
        scripts: [
          { name: 'iris-show', value: 'iris.cli.show:main [extra]' },
          { name: 'other', value: 'elsewhere:Main.run' },
          { name: 'odd', value: 'elsewhere' },
        ],
      },
    ],
  };
  const namesOf = (own: Partial<GatePolicy>): (readonly string[])[] =>
    planImports(inventory, { ...policy, ...own }, TODAY).groups.map(({ preload, items }) => [
      ...preload,
      ...items.map(({ work }) => work),
    ]);

  it('are one process for each top-level module, with the entry points that need it', () => {
    expect(namesOf({ imports: ['iris.plot', 'iris'] })).toEqual([
      ['i:cartopy'],
      ['i:iris', 'e:iris.cli.show:main'],
      ['i:tool'],
      ['i:iris.plot'],
      ['e:elsewhere:Main.run'],
    ]);
  });

  it('import first what has to come first', () => {
    expect(namesOf({ preload: { cartopy: { first: ['shapely'], ...exception } } })[0]).toEqual([
      'shapely',
      'i:cartopy',
    ]);
  });

  it('skip a module with all that is in it, and say why', () => {
    const { groups, decided } = planImports(inventory, { ...policy, skip: { iris: exception } }, TODAY);

    expect(groups.flatMap(({ items }) => items.map(({ name }) => name))).toEqual([
      'import cartopy',
      'import tool',
      'entry point other',
    ]);
    expect(decided.filter(({ skipped }) => skipped)).toEqual([
      { name: 'import iris', seconds: 0, skipped: exception },
      { name: 'entry point iris-show', seconds: 0, skipped: exception },
    ]);
  });

  it('fail where what lets them pass is over, and where an entry point is none', () => {
    const { decided } = planImports(
      inventory,
      { ...policy, skip: { iris: over }, preload: { cartopy: { first: ['a'], ...over } } },
      TODAY,
    );

    expect(failuresOf(decided).map(([name, failure]) => [name, failure.slice(0, 40)])).toEqual([
      ['import cartopy', 'gate.preload.cartopy held until 2026-11-'],
      ['import iris', 'gate.skip.iris held until 2026-11-20 (up'],
      ['entry point odd', 'iris: "elsewhere" is not <module>:<attri'],
    ]);
  });

  it('warn of entries that are for nothing', () => {
    const { warnings } = planImports(
      inventory,
      { ...policy, skip: { irris: exception }, preload: { x: { first: ['a'], ...exception } } },
      TODAY,
    );

    expect(warnings).toEqual([
      'gate.skip.irris is for nothing in this environment: remove it',
      'gate.preload.x is for nothing in this environment: remove it',
    ]);
  });

  it('believe no answer that was not begun, and know which one was not finished', () => {
    expect(parseImportAnswers('1 passed 0.5\n0 begins\n0 failed 0.25 6e6f\njunk\n1 begins\n')).toEqual({
      answers: new Map([[0, { seconds: 0.25, failure: 'no' }]]),
      open: 1,
    });
  });
});

describe('scripts', () => {
  const prefix = '/opt/conda/a-1';
  const check = (line: string, isFound = true, commands: readonly string[] = []): [string, string][] =>
    failuresOf(checkScripts([{ name: 'x', line, isFound }], prefix, new Set(commands), 0));

  it.each([
    '#!/bin/sh',
    `#!${prefix}/bin/python3.11`,
    '#! /usr/bin/perl -w',
    '#!/usr/bin/env python',
    '#!/usr/bin/env -S python -u',
  ])('may begin with %s', (line) => {
    expect(check(line)).toEqual([]);
  });

  it.each([
    [
      'an interpreter that is not there',
      '#!/home/builder/_h_env_placehold/bin/python',
      false,
      '/home/builder/_h_env_placehold/bin/python is not there',
    ],
    ["the host's Python", '#!/usr/bin/python3', true, "not the environment's Python"],
    ['no absolute path', '#!python', true, 'must be an absolute path'],
    ['more than the kernel reads', `#!${prefix}/${'x'.repeat(300)}`, true, 'does not read more than 256 bytes'],
    ['the end of a line of Windows', `#!${prefix}/bin/python\r`, true, 'carriage return'],
  ])('are wrong with %s, and are named', (_, line, isFound, why) => {
    const [[name, failure] = ['', '']] = check(line, isFound);

    expect(name).toBe('script x');
    expect(failure).toContain('bin/x begins with');
    expect(failure).toContain(why);
  });

  it('that are entry points run in Python', () => {
    expect(check('#!/usr/bin/perl', true, ['x'])[0]?.[1]).toContain('a Python entry point must run in');
    expect(check('#!/bin/sh', true, ['x'])).toEqual([]); // a path too long for the kernel, as pip and conda write it
  });

  it('are not known from a list that was cut short', () => {
    expect(parseScripts('a\0#!/bin/sh\x001\0')).toEqual([{ name: 'a', line: '#!/bin/sh', isFound: true }]);
    expect(() => parseScripts('a\0#!/bin/sh\0')).toThrow('cut short');
    expect(() => parseScripts('a\0#!/bin/sh\x001')).toThrow('cut short');
  });
});

describe('metadata', () => {
  const sha256 = '0'.repeat(64);
  const one = { name: 'numpy', version: '1.26', build: 'py_0' };
  const dist = (name: string, version: string) => ({
    name,
    version,
    directory: `${name}-${version}.dist-info`,
    files: null,
    scripts: [],
  });
  const check = (inventory: Partial<Inventory>, pip: readonly [string, string][] = []): [string, string][] =>
    failuresOf(
      checkMetadata(
        {
          packages: [{ ...one, files: ['numpy-1.26.dist-info/METADATA'] }],
          unreadable: [],
          distributions: [dist('numpy', '1.26')],
          ...inventory,
        },
        {
          packages: [
            { ...one, sha256 },
            ...pip.map(([name, version]) => ({ name, version, build: 'pypi_0', sha256, source: 'pip' as const })),
          ],
        },
        0,
      ),
    );

  it('agrees with the lock, also where pip writes a name otherwise', () => {
    expect(check({})).toEqual([]);
    expect(check({ distributions: [dist('numpy', '1.26'), dist('Zarr.x_y', '2')] }, [['zarr-x-y', '2']])).toEqual([]);
  });

  it.each<[string, Partial<Inventory>, [string, string][], string]>([
    [
      'a package that is missing',
      { packages: [], distributions: [] },
      [],
      'numpy 1.26 py_0 is locked, and conda-meta has no record of it',
    ],
    [
      'another build',
      { packages: [{ ...one, build: 'py_1', files: [] }], distributions: [] },
      [],
      'conda-meta says 1.26 py_1',
    ],
    [
      'one that nobody locked',
      {
        packages: [
          { ...one, files: [] },
          { ...one, name: 'x', files: [] },
        ],
        distributions: [],
      },
      [],
      'conda-meta has x 1.26, which is not locked',
    ],
    [
      'a distribution of nobody',
      { distributions: [dist('stray', '1')] },
      [],
      'stray-1.dist-info is of no package that is locked',
    ],
    [
      'another version of pip',
      { distributions: [dist('greet', '1')] },
      [['greet', '2']],
      'greet 2 is locked, and greet-1.dist-info says 1',
    ],
    ['what pip has not installed', {}, [['greet', '2']], 'greet 2 is locked (pip), and no metadata'],
    [
      'two of one',
      { distributions: [dist('numpy', '1.26'), { ...dist('numpy', '1.26'), directory: 'numpy-1.26.egg-info' }] },
      [],
      'is there twice',
    ],
    ['a record that cannot be read', { unreadable: ['x.json: ValueError()'] }, [], 'conda-meta/x.json: ValueError()'],
  ])('names %s', (_, inventory, pip, why) => {
    expect(
      check(inventory, pip)
        .map(([, failure]) => failure)
        .join('\n'),
    ).toContain(why);
  });
});

describe('pip check', () => {
  it('fails by distribution, so that an exception for one hides no other', () => {
    const text =
      'a 1 requires b, which is not installed.\nc 1.0 has requirement d>=2, but you have d 1.\na 1 requires e, which is not installed.\n';

    expect(failuresOf(readPipCheck(1, text, 1))).toEqual([
      ['pip check a', 'a 1 requires b, which is not installed.\na 1 requires e, which is not installed.'],
      ['pip check c', 'c 1.0 has requirement d>=2, but you have d 1.'],
    ]);
    expect(failuresOf(readPipCheck(0, 'No broken requirements found.\n', 1))).toEqual([]);
  });

  it('fails where it fails without saying of what', () => {
    expect(failuresOf(readPipCheck(2, 'Traceback\n', 1))).toEqual([
      ['pip check', 'pip check ended with status 2\nTraceback'],
    ]);
    expect(failuresOf(readPipCheck(1, '', 1))).toHaveLength(1);
    expect(failuresOf(readPipCheck(undefined, '', 1))).toHaveLength(1);
  });
});

it('takes for tests what pytest takes, and scripts of the shell', () => {
  expect(
    planUserTests(['a/test_x.py', 'x_test.py', 'conftest.py', 'run.sh', 'data.nc', 'tests.py']).map(
      ({ file, tool }) => `${tool} ${file}`,
    ),
  ).toEqual(['pytest a/test_x.py', 'pytest x_test.py', 'shell run.sh']);
});

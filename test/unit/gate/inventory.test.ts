import { expect, it } from 'vitest';
import { listTopModules, parseInventory, parseRecordNames, type Inventory } from '../../../src/gate/inventory.ts';

const inventory = (
  files: Readonly<Record<string, readonly string[]>>,
  distributions: Inventory['distributions'] = [],
): Inventory => ({
  packages: Object.entries(files).map(([name, of]) => ({ name, version: '1', build: '0', files: [...of] })),
  unreadable: [],
  distributions,
});
const modulesOf = (...files: readonly string[]): string[] =>
  listTopModules(inventory({ p: files })).map(({ module }) => module);

it('finds a package, a module and extension modules of every ending, each once', () => {
  expect(
    modulesOf(
      'xarray/__init__.py',
      'xarray/core/__init__.py',
      'six.py',
      '_yaml.so',
      'a.abi3.so',
      'b.cpython-311-x86_64-linux-gnu.so',
      'b.py',
    ),
  ).toEqual(['_yaml', 'a', 'b', 'six', 'xarray']);
});

it('goes into a namespace, which has no __init__, and no further than what is importable there', () => {
  expect(
    modulesOf(
      'google/cloud/storage/__init__.py',
      'google/cloud/storage/blob.py',
      'google/auth.py',
      'mpl/tools/x.py',
      'mpl/__init__.py',
    ),
  ).toEqual(['google.auth', 'google.cloud.storage', 'mpl']);
});

it('takes a namespace for one module where only data of a tool is deep in it, or a library that others load', () => {
  expect(
    modulesOf('ansible/x/plugins/a.py', 'ansible/y/plugins/b.py', 'attach/attach.so', 'backports/cache.py'),
  ).toEqual(['ansible', 'attach', 'backports.cache']);
});

it('takes a directory for a package that another one brings the __init__ of', () => {
  expect(listTopModules(inventory({ core: ['plugins/__init__.py'], more: ['plugins/extra.py'] }))).toEqual([
    { module: 'plugins', from: 'core' },
  ]);
});

it('leaves out what cannot be imported by a name, and libraries that others load', () => {
  expect(
    modulesOf(
      'a-b.py',
      '1st.py',
      'x-1.0.dist-info/METADATA',
      '__editable___x_finder.py',
      'data/set.one/__init__.py',
      'data-x/y.py',
      'lib.so.1',
    ),
  ).toEqual([]);
});

it('adds what pip installed, by its RECORD, and nothing twice of what conda installed', () => {
  const scripts: Inventory['distributions'][number]['scripts'] = [];
  const found = listTopModules(
    inventory({ numpy: ['numpy/__init__.py', 'numpy-1.dist-info/METADATA'] }, [
      { name: 'numpy', version: '1', directory: 'numpy-1.dist-info', files: ['elsewhere.py'], scripts },
      { name: 'greet', version: '1', directory: 'greet-1.dist-info', files: ['greet/__init__.py'], scripts },
      { name: 'bare', version: '1', directory: 'bare.egg-info', files: null, scripts },
    ]),
  );

  expect(found).toEqual([
    { module: 'greet', from: 'greet' },
    { module: 'numpy', from: 'numpy' },
  ]);
});

it('reads names of records where no Python can read the records', () => {
  expect(parseRecordNames('libgcc-ng-13.2.0-h807b86a_5.json\0odd.json\0').packages).toEqual([
    { name: 'libgcc-ng', version: '13.2.0', build: 'h807b86a_5', files: [] },
    { name: 'odd.json', version: '', build: '', files: [] },
  ]);
});

it.each(['', '{', '{}', '{"packages":[],"unreadable":[],"distributions":[{"name":1}]}'])(
  'takes no answer that is cut short or another for an inventory: %s',
  (text) => {
    expect(() => parseInventory(text)).toThrow();
  },
);

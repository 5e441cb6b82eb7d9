import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { planDrop, type PrefixEntry } from '../../../src/build/drop-plan.ts';
import { globExpression } from '../../../src/build/path-glob.ts';
import { resolveInTree } from '../../../src/build/tree-links.ts';
import type { DropRules } from '../../../src/config/site-config.ts';

/** `path`, `path -> target`, or `path = other`: a second name of that file. Parents come by themselves. */
function makeTree(...lines: string[]): PrefixEntry[] {
  const tree = new Map<string, PrefixEntry>();
  for (const [index, line] of lines.entries()) {
    const [path = '', target] = line.split(' -> ');
    const [own = '', other] = path.split(' = ');
    const parts = own.split('/');
    for (let depth = 1; depth < parts.length; depth++) {
      const dir = parts.slice(0, depth).join('/');
      if (!tree.has(dir))
        tree.set(dir, { path: dir, kind: 'directory', mode: 0o755, sizeBytes: 0, modifiedMs: 0, inode: -tree.size });
    }
    const kind = target === undefined ? 'file' : 'link';
    const inode = other === undefined ? index + 1 : (tree.get(other)?.inode ?? 0);
    tree.set(own, { path: own, kind, mode: 0o644, sizeBytes: kind === 'file' ? 100 : 0, modifiedMs: 0, inode, target });
  }
  return [...tree.values()];
}

const rules = (changes: Partial<DropRules> & { readonly globs?: readonly string[] }): DropRules => ({
  staticLibraries: false,
  tests: false,
  keep: [],
  patterns: (changes.globs ?? []).map((text) => ({ text, at: 'c.yaml:1:1' })),
  ...changes,
});

describe('a pattern', () => {
  test.each([
    ['share/doc', ['share/doc', 'share/doc/a/b'], ['share/docs', 'lib/share/doc']],
    ['**/*.js.map', ['a.js.map', 'x/y/a.js.map', 'x/.hidden.js.map'], ['a.js', 'a.js.mapx']],
    ['lib/**/tests', ['lib/tests/a', 'lib/a/b/tests/c'], ['tests/a', 'lib/tests2/a']],
    ['lib/lib?.a', ['lib/liba.a'], ['lib/lib.a', 'lib/lib/.a', 'lib/libab.a']],
    ['lib/a+(b).a', ['lib/a+(b).a'], ['lib/aa(b).a', 'lib/ab.a']],
    ['share/**', ['share/a', 'share/a/b'], ['share']],
  ])('%s', (pattern, matching, others) => {
    const expression = globExpression(pattern);

    expect(matching.filter((path) => !expression.test(path))).toEqual([]);
    expect(others.filter((path) => expression.test(path))).toEqual([]);
  });
});

describe('planDrop', () => {
  it('drops static libraries, but not those of compilers', () => {
    const tree = makeTree(
      ...['lib/libz.a', 'lib/libz.so', 'lib/gcc/x86_64-conda-linux-gnu/14/libgcc.a', 'lib/libcudadevrt.a'],
      ...['x86_64-conda-linux-gnu/sysroot/usr/lib64/libc_nonshared.a', 'lib/python3.11/site-packages/n/libn.a'],
    );

    const plan = planDrop(tree, rules({ staticLibraries: true }), []);

    expect(plan.files).toEqual(['lib/libz.a', 'lib/python3.11/site-packages/n/libn.a']);
    expect(plan.report).toEqual([{ rule: 'static_libraries', files: 2, bytes: 200 }]);
  });

  it('drops tests of Python packages with their directories, but not those that are imported', () => {
    const site = 'lib/python3.11/site-packages';
    const tree = makeTree(
      ...[`${site}/a/tests/x/test_a.py`, `${site}/a/__init__.py`, `${site}/astropy/tests/runner.py`],
      ...['lib/python3.11/test/test_os.py', 'lib/python3.11/test/support/__init__.py', 'share/tests/data'],
    );

    const plan = planDrop(tree, rules({ tests: true }), []);

    expect(plan.files).toEqual([`${site}/a/tests/x/test_a.py`, 'lib/python3.11/test/test_os.py'].sort());
    expect(plan.directories).toEqual([`${site}/a/tests/x`, `${site}/a/tests`]);
  });

  it('drops what a pattern matches but not what is to be kept, and tells of patterns that match nothing', () => {
    const tree = makeTree('share/doc/a/x', 'share/doc/b/y', 'share/man/z');

    const plan = planDrop(tree, rules({ globs: ['share/doc', 'share/nothing'], keep: ['share/doc/b'] }), []);

    expect(plan.files).toEqual(['share/doc/a/x']);
    expect(plan.directories).toEqual(['share/doc/a']);
    expect(plan.unmatched).toEqual(['share/nothing']);
  });

  it('refuses a pattern that takes a command, or what one leads to through links', () => {
    const tree = makeTree(
      ...['bin/java -> ../jvm/bin/java', 'jvm -> lib/jvm-17', 'lib/jvm-17/bin/java', 'lib/jvm-17/README'],
      ...['bin/python -> /bin/python3', 'bin/python3', 'conda-meta/a.json', '.condense'],
    );
    const refused = (glob: string) => planDrop(tree, rules({ globs: [glob] }), ['java', 'python']).refused;

    expect(refused('lib/jvm-17')).toEqual([
      { pattern: 'lib/jvm-17', path: 'lib/jvm-17/bin/java', neededBy: 'the command java' },
    ]);
    expect(refused('jvm')).toMatchObject([{ path: 'jvm', neededBy: 'the command java' }]);
    expect(refused('bin/python3')).toMatchObject([{ neededBy: 'the command python' }]);
    expect(refused('conda-meta/*.json')).toMatchObject([{ neededBy: 'conda itself' }]);
    expect(refused('.con*')).toMatchObject([{ neededBy: 'the launcher' }]);
    expect(refused('lib/jvm-17/README')).toEqual([]);
  });

  it('never takes by a rule what a command leads to', () => {
    const tree = makeTree('bin/archive -> ../lib/archive.a', 'lib/archive.a');

    expect(planDrop(tree, rules({ staticLibraries: true }), ['archive'])).toMatchObject({ files: [], refused: [] });
  });

  it('leaves out what the host has instead, also where a command leads to it', () => {
    const tree = makeTree('bin/ssh', 'bin/slogin -> ssh', 'bin/scp', 'lib/ssh');

    const plan = planDrop(tree, rules({}), ['ssh', 'slogin', 'scp'], ['ssh', 'srun']);

    expect(plan.files).toEqual(['bin/slogin', 'bin/ssh']);
    expect(plan.report).toEqual([{ rule: 'outside_commands', files: 2, bytes: 100 }]);
    expect(planDrop(tree, rules({}), ['ssh']).files).toEqual([]);
  });

  it('lets links go with what they lead to, unless they are to be kept', () => {
    const tree = makeTree(
      'lib/libz.a',
      'lib/libz-1.a -> libz.a',
      'lib/lib_z -> libz-1.a',
      'lib/liby.a',
      'lib/keep -> liby.a',
    );

    const plan = planDrop(tree, rules({ staticLibraries: true, keep: ['lib/keep'] }), []);

    expect(plan.files).toEqual(['lib/lib_z', 'lib/libz-1.a', 'lib/libz.a']);
  });

  it('counts the bytes of a file with two names when both are gone', () => {
    const tree = makeTree('a/x.a', 'a/y.a = a/x.a', 'b/x.a', 'b/y.txt = b/x.a');

    expect(planDrop(tree, rules({ staticLibraries: true }), []).report).toEqual([
      { rule: 'static_libraries', files: 3, bytes: 100 },
    ]);
  });

  it('leaves no link that led somewhere leading nowhere, nor a directory empty, whatever the tree', () => {
    const name = fc.constantFrom('a', 'b', 'c.a', 'tests');
    const path = fc.array(name, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'));
    const line = fc.oneof(
      path,
      fc
        .tuple(
          path,
          fc.oneof(
            path,
            path.map((to) => `../${to}`),
          ),
        )
        .map((pair) => pair.join(' -> ')),
    );
    fc.assert(
      fc.property(fc.array(line, { maxLength: 12 }), path, (lines, glob) => {
        const made = makeTree(...lines);
        // What a line made a file or link, another may want as a directory: no such tree.
        const entries = made.filter(({ path: at }) =>
          made.every((other) => other.kind === 'directory' || !at.startsWith(`${other.path}/`)),
        );
        const tree = new Map(entries.map((entry) => [entry.path, entry]));
        const plan = planDrop(entries, rules({ staticLibraries: true, globs: [glob] }), []);
        const gone = new Set([...plan.files, ...plan.directories]);
        const left = new Map([...tree].filter(([at]) => !gone.has(at)));
        for (const [at, { kind }] of left) {
          const before = resolveInTree(at, tree).at(-1);
          if (kind === 'link' && before !== undefined && tree.get(before)?.kind === 'file')
            expect(resolveInTree(at, left).at(-1)).toBe(before);
          const parent = at.slice(0, Math.max(0, at.lastIndexOf('/')));
          expect(parent === '' || left.has(parent)).toBe(true);
        }
        for (const dir of plan.directories) expect([...left.keys()].some((at) => at.startsWith(`${dir}/`))).toBe(false);
      }),
    );
  });
});

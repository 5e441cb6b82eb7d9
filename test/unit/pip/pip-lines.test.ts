import { describe, expect, it, test } from 'vitest';
import { AppError } from '../../../src/system/app-error.ts';
import { parsePipLines, parseRequirementsFile, type PipItem } from '../../../src/pip/pip-lines.ts';
import { parseRequirement, renderRequirement } from '../../../src/pip/requirement.ts';

/** What pip would be given for a line; throws where it is refused. */
function rendered(text: string): string[] {
  return parsePipLines([{ text, at: 'environment.yml:9:7' }]).map((item) => describeItem(item));
}
function describeItem(item: PipItem): string {
  switch (item.kind) {
    case 'requirement':
      return [renderRequirement(item.requirement, (at) => `<${at}>`), ...item.hashes].join(' ');
    case 'include':
      return `${item.constraint ? '-c' : '-r'} ${item.file}`;
    case 'flag':
      return item.text;
    case 'index':
    case 'extra-index':
    case 'find-links':
      return `${item.kind} ${item.place}`;
  }
}

describe('a line of a pip section', () => {
  test.each([
    ['numpy', 'numpy'],
    ['numpy==2.1.0', 'numpy==2.1.0'],
    ['numpy >= 2 , < 3  # why', 'numpy>=2,<3'],
    ['numpy (>=2,!=2.0.*)', 'numpy>=2,!=2.0.*'],
    ['ruamel.yaml [ jinja2 , oldlibyaml ] ~=0.18', 'ruamel.yaml[jinja2,oldlibyaml]~=0.18'],
    ['torch===2.0+cu118', 'torch===2.0+cu118'],
    [
      `a; python_version < "3.12" and (os_name == 'posix' or extra in "x y")`,
      `a ; python_version < "3.12" and ( os_name == 'posix' or extra in "x y" )`,
    ],
    ['a;"linux" not in sys_platform', 'a ; "linux" not in sys_platform'],
    ['a @ https://x.example/a-1-py3-none-any.whl', 'a @ https://x.example/a-1-py3-none-any.whl'],
    [
      'a[b]@https://x.example/a-1.tar.gz#sha256=0f ; os_name=="nt"',
      'a[b] @ https://x.example/a-1.tar.gz#sha256=0f ; os_name == "nt"',
    ],
    ['https://x.example/a-1-py3-none-any.whl', 'https://x.example/a-1-py3-none-any.whl'],
    [
      'git+https://x.example/a.git@v1.0#egg=a&subdirectory=py',
      'git+https://x.example/a.git@v1.0#egg=a&subdirectory=py',
    ],
    ['a @ git+https://x.example/a.git', 'a @ git+https://x.example/a.git'],
    ['./project', '<./project>'],
    ['./project[all] ; os_name == "posix"', '<./project>[all] ; os_name == "posix"'],
    ['wheels/a-1-py3-none-any.whl', '<wheels/a-1-py3-none-any.whl>'],
    ['a-1-py3-none-any.whl', '<a-1-py3-none-any.whl>'],
    ['a @ file:///srv/my%20a', 'a @ file://</srv/my a>'],
    [
      `a==1 --hash=sha256:${'0'.repeat(64)} --hash sha256:${'1'.repeat(64)}`,
      `a==1 sha256:${'0'.repeat(64)} sha256:${'1'.repeat(64)}`,
    ],
    ['-r requirements.txt', '-r requirements.txt'],
    ['-rrequirements.txt', '-r requirements.txt'],
    ['--requirement="my file.txt"', '-r my file.txt'],
    ['-r file:requirements.txt', '-r requirements.txt'],
    ['--constraint file:///srv/c.txt', '-c /srv/c.txt'],
    ['-i https://x.example/simple', 'index https://x.example/simple'],
    ['--extra-index-url=https://x.example/simple', 'extra-index https://x.example/simple'],
    ['-f wheels', 'find-links wheels'],
    ['--find-links https://x.example/list.html', 'find-links https://x.example/list.html'],
    ['--no-binary numpy,scipy', '--no-binary numpy,scipy'],
    ['--only-binary=:all:', '--only-binary :all:'],
  ])('may be %s', (written, expected) => {
    expect(rendered(written)).toEqual([expected]);
  });

  it('may hold several options, nothing, or a comment', () => {
    expect(rendered('--pre --no-index -f wheels')).toEqual(['--pre', '--no-index', 'find-links wheels']);
    expect(rendered('# nothing')).toEqual([]);
  });

  test.each([
    ['-e .', /has to hold all of it/],
    ['--editable=git+https://x.example/a', /has to hold all of it/],
    ['--trusted-host x.example', /the option --trusted-host is not supported/],
    ['--index-url', /needs a value/],
    ['--pre=yes', /takes no value/],
    ['--index-url /srv/index', /https:\/\/ or http:\/\/ URL/],
    ['--index-url ftp://x.example', /https:\/\/ or http:\/\/ URL/],
    ['-f http://x.example/simple', /of this machine only/],
    ['--extra-index-url https://x.example/simple?token=1', /query/],
    ['--extra-index-url https://x.example/t/abc-def/simple', /token in its path/],
    ['--index-url https://${USER}:${PASSWORD}@x.example', /nothing expands/],
    ['-r https://x.example/requirements.txt', /names a URL/],
    ['numpy --global-option=x', /--global-option=x is not supported/],
    ['numpy --pre', /cannot stand behind/],
    ['numpy --hash=md5:00', /--hash must be/],
    ['--hash=sha256:00', /must stand behind/],
    ['numpy 2.1', /not a version with an operator/],
    ['numpy=2.1', /not a version with an operator/],
    ['numpy==2.1; rm -rf /', /one word too many/],
    ['numpy; python_version', /not a marker/],
    ['numpy; (os_name == "x"', /not a marker/],
    ['numpy[a b]', /not the name of an extra/],
    ['$(touch x)', /must start with the name/],
    ['`touch x`', /must start with the name/],
    ['a @ ftp://x.example/a.whl', /must start with https/],
    ['git+ssh://git@x.example/a.git', /need keys of the person/],
    ['git+file:///srv/a', /git\+https/],
    ['hg+https://x.example/a', /only git/],
    ['git+https://x.example/a@--upload-pack=x', /the option|hyphen/],
    ['a @ git+https://x.example/a@-x', /hyphen/],
    ['a @ https://x.example/a-1.tar.gz?sig=1', /query/],
    ['a @ https://x.example/a-1.tar.gz#subdirectory=../x', /leaves the project/],
    ['a @ https://x.example/a-1.tar.gz#x=1', /is not understood/],
    ['https://x.example/simple', /neither that of a wheel/],
    ['a "b', /quotation mark/],
    ['a\u0007', /control character/],
    [`a==${'1'.repeat(5000)}`, /more than 4000/],
    [`a; ${'('.repeat(100)}`, /not a marker/],
  ])('is refused with its place: %s', (written, why) => {
    const error = catchError(() => rendered(written));

    expect(error.problems).toMatchObject([{ code: 'PIP_LINE_INVALID', at: 'environment.yml:9:7' }]);
    expect(error.problems[0]?.message).toMatch(why);
  });

  it('shows no password', () => {
    const error = catchError(() => rendered('--index-url https://me:opensesame@x.example/simple?x'));

    expect(error.message).not.toContain('opensesame');
  });
});

describe('a requirements file', () => {
  it('has comments, continued lines and places', () => {
    const items = parseRequirementsFile('\uFEFF# all\nnumpy \\\n  >=2\r\n\n  scipy\n', '/x/r.txt');

    expect(items.map((item) => [item.line.at, describeItem(item)])).toEqual([
      ['/x/r.txt:2:1', 'numpy>=2'],
      ['/x/r.txt:5:3', 'scipy'],
    ]);
  });

  it('names every line that is not understood', () => {
    const error = catchError(() => parseRequirementsFile('a\nb c\n-e .\n', 'r.txt'));

    expect(error.problems.map(({ at }) => at)).toEqual(['r.txt:2:1', 'r.txt:3:1']);
  });
});

test('what is rendered is read back the same', () => {
  for (const text of [
    'a[b,c]>=1,<2 ; os_name == "nt"',
    'a @ https://x.example/a.zip#egg=a',
    'git+http://x.example/a@b',
  ]) {
    const requirement = parseRequirement(text);
    if (typeof requirement === 'string') throw new Error(requirement);
    expect(renderRequirement(requirement, (at) => at)).toBe(text);
  }
});

function catchError(work: () => unknown): AppError {
  try {
    work();
  } catch (error) {
    if (error instanceof AppError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

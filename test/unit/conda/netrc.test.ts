// netrc as Python's module reads it.
import { expect, test } from 'vitest';
import { findLogin, parseNetrc } from '../../../src/conda/netrc.ts';

const failure = (text: string): unknown => {
  try {
    return parseNetrc(text, '/home/a/.netrc');
  } catch (error) {
    return error;
  }
};

test('reads entries on one line and on many, comments, quotes, escapes, accounts and macros', () => {
  const logins = parseNetrc(
    [
      '# mine',
      'machine One.example login a password p#1',
      'machine two.example # the other',
      '  user "b c"',
      '  account x',
      '  password "q\\" r"',
      'macdef init',
      '  machine evil.example',
      '',
      'machine three.example password back\\\\slash',
      'default login d password e',
    ].join('\n'),
    '.netrc',
  );

  expect(logins).toEqual([
    { host: 'one.example', login: 'a', password: 'p#1' },
    { host: 'two.example', login: 'b c', password: 'q" r' },
    { host: 'three.example', login: '', password: 'back\\slash' },
    { host: undefined, login: 'd', password: 'e' },
  ]);
  expect(findLogin(logins, 'one.example')?.login).toBe('a');
  expect(findLogin(logins, 'other.example')?.login).toBe('d');
  expect(findLogin(logins.slice(0, 3), 'other.example')).toBeUndefined();
  expect(parseNetrc('macdef x\n to the end', '.netrc')).toEqual([]);
});

test.each(['machine a login b\npasword s3cret', 'login s3cret', 'machine a password', 'machine a password "s3cret'])(
  'names the place in %j, and not what stands there',
  (text) => {
    const error = failure(text);

    expect(error).toMatchObject({ exit: 4, problems: [{ code: 'NETRC_INVALID' }] });
    expect(String(error)).toMatch(/\/home\/a\/\.netrc:[12]: /);
    expect(JSON.stringify(error)).not.toContain('s3cret');
  },
);

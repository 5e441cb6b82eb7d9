// Credentials that other tools keep: which there are, for whom, and what is said of them.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseTokenFileName } from '../../../src/conda/anaconda-tokens.ts';
import { authorizeRequest } from '../../../src/conda/channel-access.ts';
import { findCredential, parseStoredCredentials } from '../../../src/conda/stored-credentials.ts';

const silent = (): void => undefined;
const FILE = '/home/me/.rattler/credentials.json';
const credentials = parseStoredCredentials(
  JSON.stringify({
    'repo.prefix.dev': { BearerToken: 'exact' },
    '*.prefix.dev': { BearerToken: 'wild' },
    '*.dev': { CondaToken: 'tk-dev' },
    'basic.example': { BasicHTTP: { username: 'me@site', password: '50%/x' } },
    '127.0.0.1': { CondaToken: 'tk-local' },
  }),
  FILE,
  silent,
);

test.each([
  ['repo.prefix.dev', 'exact'],
  ['conda.prefix.dev', 'wild'],
  ['prefix.dev', 'wild'],
  ['a.b.prefix.dev', 'wild'],
  ['notprefix.dev', 'tk-dev'],
  ['127.0.0.1', 'tk-local'],
  ['7.0.0.1', undefined],
  ['prefix.dev.example', undefined],
])('%s has %s', (host, token) => {
  const found = findCredential(credentials, host);
  expect(found && 'token' in found ? found.token : undefined).toBe(token);
});

const access = {
  channels: [
    { url: 'https://a:b@repo.prefix.dev/own', publicUrl: 'https://repo.prefix.dev/own' },
    { url: 'https://repo.prefix.dev/open', publicUrl: 'https://repo.prefix.dev/open' },
    { url: 'https://x.dev/t/own/main', publicUrl: 'https://x.dev/main' },
  ],
  logins: [{ host: undefined, login: 'net', password: 'rc' }],
  credentials,
  tokens: [
    { url: 'https://conda.anaconda.org', token: 'tk-1' },
    { url: 'https://server.example/conda', token: 'tk-2' },
  ],
};

test.each([
  ['https://repo.prefix.dev/open/noarch/x', 'https://repo.prefix.dev/open/noarch/x', 'Bearer exact'],
  ['https://repo.prefix.dev/own/noarch/x', 'https://a:b@repo.prefix.dev/own/noarch/x', undefined],
  ['https://y.dev:8443/main/noarch/x', 'https://y.dev:8443/t/tk-dev/main/noarch/x', undefined],
  ['https://x.dev/main/noarch/x', 'https://net:rc@x.dev/t/own/main/noarch/x', undefined],
  ['https://basic.example/c/x', 'https://me%40site:50%25%2Fx@basic.example/c/x', undefined],
  ['https://conda.anaconda.org/me/x', 'https://conda.anaconda.org/t/tk-1/me/x', undefined],
  ['https://conda.anaconda.org.evil.example/me/x', 'https://net:rc@conda.anaconda.org.evil.example/me/x', undefined],
  ['http://conda.anaconda.org/me/x', 'http://net:rc@conda.anaconda.org/me/x', undefined],
  ['https://server.example/conda/me/x', 'https://server.example/conda/t/tk-2/me/x', undefined],
  ['https://server.example/condaless/x', 'https://net:rc@server.example/condaless/x', undefined],
])('%s is asked for with what is its own', (url, asked, header) => {
  expect(authorizeRequest(url, access)).toEqual({
    url: asked,
    headers: header === undefined ? {} : { authorization: header },
  });
});

test.each([
  ['https%3A%2F%2Fapi.anaconda.org.token', ['https://api.anaconda.org', 'https://conda.anaconda.org']],
  [
    'http%3A%2F%2Fserver.example%3A8080%2Fapi.token',
    ['http://server.example:8080/api', 'http://server.example:8080/conda'],
  ],
  ['https%3A%2F%2Fother.example.token', ['https://other.example']],
  ['file%3A%2F%2F%2Fetc.token', []],
  ['%zz.token', []],
  ['.token', []],
  ['https%3A%2F%2Fapi.anaconda.org', []],
])('the file %s is for %j', (name, urls) => {
  expect(parseTokenFileName(name)).toEqual(urls);
});

test('an entry of another kind is said and not used, without what is in it', () => {
  const said: string[] = [];
  const found = parseStoredCredentials(
    JSON.stringify({
      's3://x': { S3Credentials: { secret_access_key: 's3cret' } },
      y: { BearerToken: 's3cret\nx: y' },
    }),
    FILE,
    (text) => said.push(text),
  );

  expect(found).toEqual([]);
  expect(said).toHaveLength(2);
  expect(said.join('\n')).not.toContain('s3cret');
});

test('a file that is none is refused without what is in it', () => {
  for (const text of ['s3cret', '{"a": s3cret}', '[]', '"s3cret"', 'null', '']) {
    expect(() => parseStoredCredentials(text, FILE, silent)).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining('s3cret') as string }) as Error,
    );
  }
});

test('any text is read or refused', () => {
  fc.assert(
    fc.property(fc.oneof(fc.json(), fc.string()), (text) => {
      try {
        parseStoredCredentials(text, FILE, silent);
      } catch (error) {
        expect(error).toMatchObject({ problems: [{ code: 'CREDENTIALS_INVALID' }] });
      }
    }),
  );
});

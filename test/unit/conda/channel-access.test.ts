// Which credentials a URL of a lock gets.
import { expect, test } from 'vitest';
import { authorizeRequest } from '../../../src/conda/channel-access.ts';
import { parseChannels } from '../../../src/conda/channel.ts';

const access = {
  channels: parseChannels(
    ['https://a:b@h.example/main', 'https://h.example/t/tok/main/inner', 'https://h.example/open', 'file:///srv/c'],
    'https://h.example',
  ),
  logins: [{ host: 'n.example', login: 'me@site', password: '50%/x' }],
};

test.each([
  ['https://h.example/main/noarch/x.conda', 'https://a:b@h.example/main/noarch/x.conda'],
  ['https://h.example/main/inner/noarch/x.conda', 'https://h.example/t/tok/main/inner/noarch/x.conda'],
  ['https://h.example/open/noarch/x.conda', 'https://h.example/open/noarch/x.conda'],
  ['https://h.example/mainly/noarch/x.conda', 'https://h.example/mainly/noarch/x.conda'],
  ['https://other.example/main/noarch/x.conda', 'https://other.example/main/noarch/x.conda'],
  ['https://n.example:8443/c/noarch/x.conda', 'https://me%40site:50%25%2Fx@n.example:8443/c/noarch/x.conda'],
  ['file:///srv/c/noarch/x.conda', 'file:///srv/c/noarch/x.conda'],
])('%s is asked for as %s', (url, expected) => {
  expect(authorizeRequest(url, access).url).toBe(expected);
});

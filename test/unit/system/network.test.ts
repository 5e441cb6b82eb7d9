// Which proxies the variables mean.
import { expect, test } from 'vitest';
import { planProxies } from '../../../src/system/network.ts';

test('takes URLs and curl’s host:port, from either spelling, and nothing of what is empty', () => {
  expect(
    planProxies({ HTTP_PROXY: 'proxy.example:3128', https_proxy: 'http://u:p@proxy.example', http_proxy: '' }),
  ).toEqual({ HTTP_PROXY: 'http://proxy.example:3128/', https_proxy: 'http://u:p@proxy.example/' });
  expect(planProxies({ PATH: '/bin' })).toEqual({});
});

test.each(['socks5://me:s3cret@proxy.example', 'http://me:s3cret@:x'])('refuses %s without showing it', (value) => {
  expect(() => planProxies({ HTTPS_PROXY: value })).toThrow(/^the variable HTTPS_PROXY is not [^\n]*$/);
  expect(() => planProxies({ HTTPS_PROXY: value })).not.toThrow(/s3cret/);
});

// The machine's ways out to the network: proxies and certificate authorities, from the variables that curl, conda and pip read.
import type http from 'node:http';
import type tls from 'node:tls';
import { AppError, errorMessage } from './app-error.ts';
import { EXIT } from './exit-codes.ts';
import { readText } from './files.ts';

type Env = Readonly<Record<string, string | undefined>>;

/** requests reads the first two, OpenSSL the third; each names all authorities that are trusted. */
const CA_VARIABLES = ['REQUESTS_CA_BUNDLE', 'CURL_CA_BUNDLE', 'SSL_CERT_FILE'] as const;
const PROXY_VARIABLES = ['http_proxy', 'https_proxy', 'HTTP_PROXY', 'HTTPS_PROXY'] as const;
/**
 * Newer than the oldest Node that condense runs with: Node's documentation, "added in". Only where there is something to set:
 * importing both, with what they bring, took a third of the processor time of a command that asks no network.
 */
const proxyFunctions = (): Partial<typeof http> => process.getBuiltinModule('node:http');
const authorityFunctions = (): Partial<typeof tls> => process.getBuiltinModule('node:tls');

/**
 * Sends this process's requests through the proxies of `env`, and has them trust its authorities: before the first request.
 * @returns takes it back
 * @throws AppError PROXY_INVALID, CA_INVALID, NODE_TOO_OLD; none of them shows what a variable holds but a file's name
 */
export async function useNetworkSettings(env: Env): Promise<() => void> {
  const restoreProxy = useProxies(env);
  const restoreCa = await useAuthorities(env);
  return () => {
    restoreProxy();
    restoreCa();
  };
}

/** Pure. curl's `host:port` is `http://host:port`. @throws AppError PROXY_INVALID */
export function planProxies(env: Env): Readonly<Record<string, string>> {
  const proxies: Record<string, string> = {};
  for (const name of PROXY_VARIABLES) {
    const written = env[name]?.trim();
    if (!written) continue;
    const url = URL.parse(/^[a-z][a-z0-9+.-]*:\/\//i.test(written) ? written : `http://${written}`);
    if (!url || !/^https?:$/.test(url.protocol)) {
      throw new AppError(EXIT.siteNotReady, {
        code: 'PROXY_INVALID',
        message: `the variable ${name} is not the http:// or https:// URL of a proxy`,
        hint: `export ${name}=http://proxy.example.org:3128, or unset it`,
      });
    }
    proxies[name] = url.href;
  }
  return proxies;
}

/** What a program of the build has to be told to go the same ways, but for the authorities. May hold passwords. */
export function planNetworkVariables(env: Env): Readonly<Record<string, string>> {
  const noProxy = env['no_proxy'] ?? env['NO_PROXY'];
  return { ...planProxies(env), ...(noProxy === undefined ? {} : { no_proxy: noProxy, NO_PROXY: noProxy }) };
}

/** The certificates that this process trusts, as PEM, where `env` names other ones than those of Node itself. */
export function readAuthorities(env: Env): string | undefined {
  const isOwn = [...CA_VARIABLES, 'NODE_EXTRA_CA_CERTS'].some((name) => env[name]);
  return isOwn ? authorityFunctions().getCACertificates?.('default').join('\n') : undefined;
}

function useProxies(env: Env): () => void {
  const proxies = planProxies(env);
  if (Object.keys(proxies).length === 0) return () => undefined;
  const { setGlobalProxyFromEnv } = proxyFunctions();
  if (!setGlobalProxyFromEnv) throw nodeTooOld('proxies', 'NODE_USE_ENV_PROXY=1');
  const noProxy = env['no_proxy'] ?? env['NO_PROXY'];
  return setGlobalProxyFromEnv({ ...proxies, ...(noProxy === undefined ? {} : { NO_PROXY: noProxy }) });
}

async function useAuthorities(env: Env): Promise<() => void> {
  const name = CA_VARIABLES.find((variable) => env[variable]);
  const file = name && env[name];
  if (!name || !file) return () => undefined;
  const { getCACertificates, setDefaultCACertificates } = authorityFunctions();
  if (!getCACertificates || !setDefaultCACertificates) throw nodeTooOld(name, `NODE_EXTRA_CA_CERTS=${file}`);
  const before = getCACertificates('default');
  try {
    const text = await readText(file);
    const certificates = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
    if (certificates.length === 0) throw new Error('it has no PEM certificate');
    setDefaultCACertificates([...certificates, ...getCACertificates('extra')]);
  } catch (error) {
    throw new AppError(
      EXIT.siteNotReady,
      {
        code: 'CA_INVALID',
        message: `${name} names a file of certificates that cannot be used: ${errorMessage(error)}`,
        at: file,
        hint: `openssl x509 -noout -subject -in ${file}; or unset ${name}`,
      },
      { cause: error },
    );
  }
  return () => {
    setDefaultCACertificates(before);
  };
}

function nodeTooOld(what: string, variable: string): AppError {
  return new AppError(EXIT.siteNotReady, {
    code: 'NODE_TOO_OLD',
    message: `${process.execPath} is ${process.version}, which condense cannot tell of ${what}`,
    hint: `export ${variable}, or use the Node that condense brings: npx condense`,
  });
}

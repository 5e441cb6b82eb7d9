// Requests to channels: credentials from the URL, redirects, limits of time and size, and further tries where they can help.
import { setTimeout as sleep } from 'node:timers/promises';
import { AppError, errorMessage } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import { HTTP_PACE, IncompleteAnswer, limitedChunks, type Pace } from './http-body.ts';
import { RequestRefused } from './http-refusal.ts';
import { MAX_REDIRECTS, planRedirect } from './http-redirect.ts';

export interface Request {
  /** http or https; `user:password@` is sent as basic authentication. */
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Default 4: fewer where somebody else can be asked. */
  readonly tries?: number | undefined;
  /** More than this is given up. */
  readonly maxBytes?: number | undefined;
  readonly pace?: Pace | undefined;
}

type Use<T> = (response: Response, body: AsyncIterable<Uint8Array>) => Promise<T>;

const TRIES = 4;
const FIRST_PAUSE_MS = 250;

/** The server's answer is that it cannot answer now. */
class ServerBusy extends Error {
  override readonly name = 'ServerBusy';
}

/**
 * Asks, and lets `use` read the answer; both again (three more times, waiting longer each time) when the connection
 * fails, the answer stops or trickles, or the server says 429 or 5xx.
 * @param use gets every other answer (404 is one too) and its body in chunks
 * @throws what `use` throws; Error saying why the last try failed; AppError INTERRUPTED
 */
export async function requestChannel<T>(request: Request, use: Use<T>): Promise<T> {
  const tries = request.tries ?? TRIES;
  for (let attempt = 1; ; attempt++) {
    try {
      return await requestOnce(request, use);
    } catch (error) {
      if (request.signal?.aborted) throw interrupted(error);
      const untrusted = describeUntrusted(error, request.url);
      if (untrusted) throw untrusted;
      if (!isWorthAnotherTry(error)) throw error;
      if (attempt >= tries) {
        const times = attempt === 1 ? '' : ` (${attempt} tries)`;
        throw new Error(`${describeFailure(error)}${times}`, { cause: error });
      }
      const pauseMs = FIRST_PAUSE_MS * 2 ** (attempt - 1) * (0.75 + Math.random() / 2);
      await sleep(pauseMs, undefined, request.signal ? { signal: request.signal } : {}).catch((cause: unknown) => {
        throw interrupted(cause);
      });
    }
  }
}

async function requestOnce<T>(request: Request, use: Use<T>): Promise<T> {
  const pace = request.pace ?? HTTP_PACE;
  const idle = new AbortController();
  const signal = request.signal ? AbortSignal.any([idle.signal, request.signal]) : idle.signal;
  const response = await askFollowing(request, signal, pace, idle);
  if (response.status === 429 || response.status >= 500) {
    await response.body?.cancel();
    throw new ServerBusy(`the server answered ${describeStatus(response)}`);
  }
  const result = await use(response, limitedChunks(response, { pace, idle, maxBytes: request.maxBytes }));
  if (response.body && !response.bodyUsed) await response.body.cancel();
  return result;
}

/** Redirects by hand: fetch would say neither where they lead nor that they never end, and be asked again in vain. */
async function askFollowing(
  request: Request,
  signal: AbortSignal,
  pace: Pace,
  idle: AbortController,
): Promise<Response> {
  let { url, headers } = withAuthorization(request.url);
  headers = { ...headers, ...request.headers };
  for (let redirects = 0; ; redirects++) {
    const timer = setTimeout(() => {
      idle.abort(new IncompleteAnswer(`no answer came for ${pace.idleMs / 1000} s`));
    }, pace.idleMs);
    const response = await fetch(url, { headers, signal, redirect: 'manual' }).finally(() => {
      clearTimeout(timer);
    });
    const next = planRedirect(url, response.status, response.headers.get('location'));
    if (next === undefined) return response;
    await response.body?.cancel();
    if (redirects >= MAX_REDIRECTS) {
      throw new RequestRefused(
        `more than ${MAX_REDIRECTS} redirects, the last one to ${new URL(next.url).host}`,
        'tell the owner of the channel that it redirects without end',
      );
    }
    if (!next.sameOrigin) {
      headers = Object.fromEntries(Object.entries(headers).filter(([name]) => name !== 'authorization'));
    }
    url = next.url;
  }
}

/** fetch refuses URLs with credentials. */
function withAuthorization(text: string): { url: string; headers: Record<string, string> } {
  const url = new URL(text);
  if (url.username === '' && url.password === '') return { url: url.href, headers: {} };
  const pair = `${decodeUserInfo(url.username)}:${decodeUserInfo(url.password)}`;
  url.username = '';
  url.password = '';
  return { url: url.href, headers: { authorization: `Basic ${Buffer.from(pair).toString('base64')}` } };
}

/** A password may have a `%` that escapes nothing. */
export function decodeUserInfo(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    if (error instanceof URIError) return text;
    throw error;
  }
}

/**
 * What to throw for an answer that is none. Pure.
 * @param url that was asked for, without credentials
 */
export function unexpectedAnswer(response: Response, url: string): Error {
  const message = `the server answered ${describeStatus(response)}`;
  if (response.status !== 401 && response.status !== 403) return new Error(message);
  return new RequestRefused(
    message,
    `give this account a "machine ${new URL(url).hostname} login ... password ..." in ~/.netrc, or the channel credentials in its URL`,
  );
}

function describeStatus(response: Response): string {
  return `${response.status} ${response.statusText}`.trim();
}

function isWorthAnotherTry(error: unknown): boolean {
  if (error instanceof IncompleteAnswer || error instanceof ServerBusy) return true;
  // undici: no connection, and a connection that ended within the body
  return error instanceof TypeError && (error.message === 'fetch failed' || error.message === 'terminated');
}

/** Node's names of OpenSSL's verification errors (nodejs.org, "X509 certificate error codes"): none passes by waiting. */
const UNTRUSTED = /^(?:UNABLE_TO_|CERT_|CRL_|DEPTH_ZERO_|SELF_SIGNED_|INVALID_CA|HOSTNAME_MISMATCH|ERR_TLS_CERT_)/;

function describeUntrusted(error: unknown, url: string): RequestRefused | undefined {
  const cause = error instanceof TypeError ? error.cause : undefined;
  const { code } = (cause ?? {}) as NodeJS.ErrnoException;
  if (code === undefined || !UNTRUSTED.test(code)) return undefined;
  return new RequestRefused(
    `the certificate of ${new URL(url).host} is not trusted: ${errorMessage(cause)} (${code})`,
    'where the site has a certificate authority of its own: export SSL_CERT_FILE=/path/to/authorities.pem',
  );
}

function describeFailure(error: unknown): string {
  if (!(error instanceof TypeError)) return errorMessage(error);
  const cause = error.cause;
  // One failure for each address of a host: their own message is empty.
  const first: unknown = cause instanceof AggregateError ? cause.errors[0] : cause;
  return first === undefined ? error.message : errorMessage(first);
}

function interrupted(cause: unknown): AppError {
  return new AppError(EXIT.interrupted, { code: 'INTERRUPTED', message: 'the request was interrupted' }, { cause });
}

// Requests to channels: credentials from the URL, idle time limits, and further tries where a further try can help.
import { setTimeout as sleep } from 'node:timers/promises';
import { AppError, errorMessage } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';

export interface Request {
  /** http or https; `user:password@` is sent as basic authentication. */
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
}

/** What `use` throws when the answer was not whole, and asking again may bring the whole. */
class IncompleteAnswer extends Error {
  override readonly name = 'IncompleteAnswer';
}

/** The request reached somebody who refuses it: asking again changes nothing, a person can. */
export class RequestRefused extends Error {
  override readonly name = 'RequestRefused';
  readonly hint: string;

  constructor(message: string, hint: string) {
    super(message);
    this.hint = hint;
  }
}

const TRIES = 4;
const FIRST_PAUSE_MS = 250;
/** No byte for so long: the connection is given up. A slow download that moves is not. */
const IDLE_MS = 60_000;

/** The server's answer is that it cannot answer now. */
class ServerBusy extends Error {
  override readonly name = 'ServerBusy';
}

/**
 * Asks, and lets `use` read the answer; both again (three more times, waiting longer each time) when the connection
 * fails, nothing comes for a minute, or the server says 429 or 5xx.
 * @param use gets every other answer (404 is one too) and its body in chunks
 * @throws what `use` throws; Error saying why the last try failed; AppError INTERRUPTED
 */
export async function requestChannel<T>(
  request: Request,
  use: (response: Response, body: AsyncIterable<Uint8Array>) => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await requestOnce(request, use);
    } catch (error) {
      if (request.signal?.aborted) throw interrupted(error);
      const untrusted = describeUntrusted(error, request.url);
      if (untrusted) throw untrusted;
      if (!isWorthAnotherTry(error)) throw error;
      if (attempt === TRIES) throw new Error(`${describeFailure(error)} (${TRIES} tries)`, { cause: error });
      const pauseMs = FIRST_PAUSE_MS * 2 ** (attempt - 1) * (0.75 + Math.random() / 2);
      await sleep(pauseMs, undefined, request.signal ? { signal: request.signal } : {}).catch((cause: unknown) => {
        throw interrupted(cause);
      });
    }
  }
}

async function requestOnce<T>(
  request: Request,
  use: (response: Response, body: AsyncIterable<Uint8Array>) => Promise<T>,
): Promise<T> {
  const idle = new AbortController();
  const timer = setTimeout(() => {
    idle.abort(new IncompleteAnswer(`nothing came for ${IDLE_MS / 1000} s`));
  }, IDLE_MS);
  try {
    const { url, headers } = withAuthorization(request.url);
    const response = await fetch(url, {
      headers: { ...headers, ...request.headers },
      signal: request.signal ? AbortSignal.any([idle.signal, request.signal]) : idle.signal,
    });
    if (response.status === 429 || response.status >= 500) {
      await response.body?.cancel();
      throw new ServerBusy(`the server answered ${describeStatus(response)}`);
    }
    const result = await use(response, chunksOf(response, timer));
    if (response.body && !response.bodyUsed) await response.body.cancel();
    return result;
  } finally {
    clearTimeout(timer);
  }
}

async function* chunksOf(response: Response, timer: NodeJS.Timeout): AsyncGenerator<Uint8Array> {
  if (!response.body) return;
  for await (const chunk of response.body) {
    timer.refresh();
    yield chunk;
  }
}

/** fetch refuses URLs with credentials; on a redirect to another host it drops this header (Fetch standard, 4.4). */
function withAuthorization(text: string): { readonly url: string; readonly headers: Record<string, string> } {
  const url = new URL(text);
  if (url.username === '' && url.password === '') return { url: url.href, headers: {} };
  const pair = `${decode(url.username)}:${decode(url.password)}`;
  url.username = '';
  url.password = '';
  return { url: url.href, headers: { authorization: `Basic ${Buffer.from(pair).toString('base64')}` } };
}

/** A password may have a `%` that escapes nothing. */
function decode(text: string): string {
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

// A package index on loopback: PEP 503 pages, or PEP 691 JSON where pip asks for it; with a password, if it has one.
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { certificate, privateKey } from '../integration/conda/self-signed.ts';
import type { Distribution } from './distributions.ts';

export class PipIndex {
  /** `GET /simple/foo/`, in order. */
  readonly requests: string[] = [];
  /** Where files and directories below it are served as they are, at `/git/`. */
  gitRoot = '';
  json = false;
  /** `user:password` */
  login: string | undefined;
  readonly #files = new Map<string, Distribution>();
  readonly #server: Server;

  private constructor(tls: boolean) {
    const listen = this.#listen.bind(this);
    this.#server = tls ? createSecureServer({ cert: certificate, key: privateKey }, listen) : createServer(listen);
  }

  #listen(request: IncomingMessage, response: ServerResponse): void {
    this.requests.push(`${request.method ?? ''} ${request.url ?? ''}`);
    // As a proxy it is asked for whole URLs, and it is then whichever host they name.
    const at = (request.url ?? '').replace(/^http:\/\/[^/]*/, '');
    const given = Buffer.from((request.headers.authorization ?? '').replace(/^Basic /, ''), 'base64').toString();
    if (this.login !== undefined && given !== this.login) {
      response.writeHead(401, { 'www-authenticate': 'Basic realm="index"' }).end();
      return;
    }
    void this.#answer(at, (request.headers.accept ?? '').includes('simple.v1+json'), response);
  }

  /** @param tls with a certificate that no authority knows */
  static async start(tls = false): Promise<PipIndex> {
    const index = new PipIndex(tls);
    await new Promise<void>((done) => index.#server.listen(0, '127.0.0.1', done));
    return index;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }
  get url(): string {
    return `http://127.0.0.1:${this.port}/simple`;
  }
  fileUrl(one: Distribution): string {
    return `http://127.0.0.1:${this.port}/files/${one.fileName}`;
  }

  /** A file of the same name is replaced. */
  add(...distributions: readonly Distribution[]): void {
    for (const one of distributions) this.#files.set(one.fileName, one);
  }
  remove(one: Distribution): void {
    this.#files.delete(one.fileName);
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((done) => {
      this.#server.close(() => {
        done();
      });
    });
  }

  async #answer(at: string, wantsJson: boolean, response: ServerResponse): Promise<void> {
    const file = this.#files.get(/^\/files\/(.*)$/.exec(at)?.[1] ?? '');
    if (file) {
      response.end(file.bytes);
      return;
    }
    const git = /^\/git\/([^?]*)/.exec(at)?.[1];
    if (git !== undefined && !git.includes('..')) {
      const bytes = await readFile(path.join(this.gitRoot, git)).catch(() => undefined);
      response.writeHead(bytes ? 200 : 404).end(bytes);
      return;
    }
    const project = /^\/simple\/([^/]+)\/$/.exec(at)?.[1] ?? '';
    const files = [...this.#files.values()].filter(
      (one) => one.project.replaceAll(/[-_.]+/g, '-').toLowerCase() === project,
    );
    if (files.length === 0) {
      response.writeHead(404).end();
      return;
    }
    const hash = (one: Distribution): string => createHash('sha256').update(one.bytes).digest('hex');
    if (this.json && wantsJson) {
      response.setHeader('content-type', 'application/vnd.pypi.simple.v1+json').end(
        JSON.stringify({
          meta: { 'api-version': '1.0' },
          name: project,
          files: files.map((one) => ({
            filename: one.fileName,
            url: `../../files/${one.fileName}`,
            hashes: { sha256: hash(one) },
          })),
        }),
      );
      return;
    }
    const links = files.map(
      (one) => `<a href="../../files/${one.fileName}#sha256=${hash(one)}">${one.fileName}</a><br>`,
    );
    response.setHeader('content-type', 'text/html').end(`<!DOCTYPE html><html><body>${links.join('\n')}</body></html>`);
  }
}

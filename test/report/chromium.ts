// A real browser without a window, driven through a pipe: the DevTools protocol, one JSON object after the other with a NUL
// between them (Chromium's --remote-debugging-pipe). No port, no network, no profile of a person.
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { pathToFileURL } from 'node:url';

const require = createRequire(import.meta.url);
/** However a test ends, the browser does. */
const LONGEST_MS = 300_000;

interface Answer {
  readonly id?: number;
  readonly method?: string;
  readonly params?: Readonly<Record<string, unknown>>;
  readonly result?: unknown;
  readonly error?: { readonly message: string };
}

export interface Violation {
  readonly id: string;
  readonly help: string;
  readonly nodes: readonly string[];
}

export interface View {
  readonly width: number;
  readonly height: number;
  readonly scheme: 'light' | 'dark';
}

export class Chromium {
  readonly #child: ChildProcess;
  readonly #profile: string;
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  readonly #said: Answer[] = [];
  #listener: ((event: Answer) => void) | undefined;
  #session: string | undefined;
  #next = 1;
  #gone: Error | undefined;

  static async start(): Promise<Chromium> {
    const profile = await mkdtemp(path.join(os.tmpdir(), 'condense-chromium-'));
    const chromium = new Chromium(profile);
    const { targetId } = (await chromium.#send('Target.createTarget', { url: 'about:blank' })) as { targetId: string };
    const attached = await chromium.#send('Target.attachToTarget', { targetId, flatten: true });
    chromium.#session = (attached as { sessionId: string }).sessionId;
    for (const domain of ['Page', 'Runtime', 'Log', 'Network']) await chromium.#send(`${domain}.enable`, {});
    return chromium;
  }

  private constructor(profile: string) {
    this.#profile = profile;
    const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run'];
    const quiet = [
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--disable-extensions',
    ];
    const args = [
      ...flags,
      ...quiet,
      '--host-resolver-rules=MAP * ~NOTFOUND',
      '--hide-scrollbars',
      '--remote-debugging-pipe',
    ];
    this.#child = spawn('chromium', [...args, `--user-data-dir=${profile}`], {
      stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
      env: { PATH: process.env['PATH'], HOME: profile, LANG: 'C.UTF-8' },
      timeout: LONGEST_MS,
      killSignal: 'SIGKILL',
    });
    const end = (why: string): void => {
      this.#gone = new Error(`chromium is gone: ${why}`);
      for (const answer of this.#waiting.values()) answer({ error: { message: this.#gone.message } });
    };
    this.#child.on('error', (error) => {
      end(error.message);
    });
    this.#child.on('exit', (code, signal) => {
      end(`exit ${code ?? signal ?? '?'}`);
    });
    this.#read(this.#child.stdio[4] as Readable);
  }

  #read(stream: Readable): void {
    let rest = '';
    stream.setEncoding('utf8');
    stream.on('data', (chunk: string) => {
      const parts = (rest + chunk).split('\0');
      rest = parts.pop() ?? '';
      for (const part of parts) {
        const answer = JSON.parse(part) as Answer;
        if (answer.id === undefined) {
          this.#said.push(answer);
          this.#listener?.(answer);
        } else this.#waiting.get(answer.id)?.(answer);
      }
    });
  }

  async #send(method: string, params: object): Promise<unknown> {
    if (this.#gone) throw this.#gone;
    const id = this.#next++;
    const session = this.#session === undefined ? {} : { sessionId: this.#session };
    const answer = await new Promise<Answer>((resolve) => {
      this.#waiting.set(id, resolve);
      (this.#child.stdio[3] as Writable).write(`${JSON.stringify({ id, method, params, ...session })}\0`);
    });
    this.#waiting.delete(id);
    if (answer.error) throw new Error(`${method}: ${answer.error.message}`);
    return answer.result;
  }

  /** Opens a file in a window of that size, and waits until it is loaded. */
  async open(file: string, { width, height, scheme }: View): Promise<void> {
    this.#said.length = 0;
    await this.#send('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: 1, mobile: false });
    await this.#send('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value: scheme }] });
    const loaded = new Promise<void>((resolve) => {
      this.#listener = ({ method }) => {
        if (method === 'Page.loadEventFired') resolve();
      };
    });
    await this.#send('Page.navigate', { url: pathToFileURL(file).href });
    await loaded;
  }

  /** The value of an expression in the page. */
  async evaluate(expression: string): Promise<unknown> {
    const answer = await this.#send('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true });
    const { result, exceptionDetails } = answer as {
      result: { value?: unknown };
      exceptionDetails?: { text: string; exception?: { description?: string } };
    };
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  }

  /** What the page asked for besides itself, and what the browser complained of, since it was opened. */
  listComplaints(): string[] {
    const requests = this.#said.filter(({ method }) => method === 'Network.requestWillBeSent').slice(1);
    const texts = this.#said.filter(
      ({ method }) => method === 'Log.entryAdded' || method === 'Runtime.exceptionThrown',
    );
    return [...requests, ...texts].map(({ params }) => JSON.stringify(params).slice(0, 500));
  }

  /** What axe-core, which others judge web sites by, finds against WCAG 2.2 AA and good practice. */
  async findViolations(): Promise<Violation[]> {
    await this.evaluate(await readFile(require.resolve('axe-core/axe.min.js'), 'utf8'));
    const found = await this.evaluate(
      'axe.run(document, { resultTypes: ["violations"] }).then(({ violations }) => violations.map(({ id, help, nodes }) => ({ id, help, nodes: nodes.map(({ html }) => html) })))',
    );
    return found as Violation[];
  }

  /** PNG of the whole page. */
  async screenshot(): Promise<Buffer> {
    const { data } = (await this.#send('Page.captureScreenshot', { captureBeyondViewport: true })) as { data: string };
    return Buffer.from(data, 'base64');
  }

  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    if (!this.#gone) {
      this.#child.kill('SIGKILL');
      await ended;
    }
    await rm(this.#profile, { recursive: true, force: true, maxRetries: 5 });
  }
}

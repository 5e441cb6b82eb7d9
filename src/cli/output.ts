// The one place that writes to stdout and stderr: results and narration, as text or as JSON lines; never a secret of a URL.
import { AppError, type Problem } from '../system/app-error.ts';
import type { Report, WorkEvent } from '../system/events.ts';
import { EXIT, type ExitCode } from '../system/exit-codes.ts';
import { redactUrls, renderRedactedJson } from '../system/redact-urls.ts';
import { describeSystemError } from '../system/system-error.ts';
import { describeSize } from '../system/describe-size.ts';

export interface OutputOptions {
  readonly json: boolean;
  readonly debug: boolean;
}

export interface Streams {
  readonly stdout: Pick<NodeJS.WriteStream, 'write' | 'isTTY'>;
  readonly stderr: Pick<NodeJS.WriteStream, 'write' | 'isTTY' | 'columns'>;
  readonly env: Readonly<Record<string, string | undefined>>;
}

export class Output {
  readonly #streams: Streams;
  readonly #options: OutputOptions;
  #bar = false;
  #lastProgress = 0;

  constructor(streams: Streams, options: OutputOptions) {
    this.#streams = streams;
    this.#options = options;
  }

  get json(): boolean {
    return this.#options.json;
  }
  get debug(): boolean {
    return this.#options.debug;
  }

  /** The result of a command: lines for people, or one JSON object for machines. */
  result(data: object, lines: readonly string[]): void {
    this.#clearBar();
    const text = this.#options.json
      ? renderRedactedJson({ v: 1, type: 'result', ...data })
      : lines.length > 0
        ? redactUrls(lines.join('\n'))
        : undefined;
    if (text !== undefined) this.#streams.stdout.write(`${text}\n`);
  }

  /** A line of a task that runs elsewhere; `task` where there are several. With --json its results say which one it was. */
  taskLine(task: string | undefined, line: string, from: 'stdout' | 'stderr'): void {
    this.#clearBar();
    const prefix = task === undefined || this.#options.json ? '' : `${this.#colour(2, `[${task}]`)} `;
    if (from === 'stderr') this.#streams.stderr.write(`${prefix}${redactUrls(line)}\n`);
    else this.#streams.stdout.write(`${this.#options.json ? renderTaskLine(task, line) : redactUrls(line)}\n`);
  }

  /** Narration of long work: a bar on a terminal, lines otherwise, events with --json. */
  readonly report: Report = (event) => {
    if (this.#options.json) {
      this.#streams.stdout.write(`${renderRedactedJson({ v: 1, ...event })}\n`);
      return;
    }
    if (event.type === 'progress') {
      this.#progress(event);
      return;
    }
    this.#clearBar();
    this.#streams.stderr.write(`${redactUrls(this.#describe(event))}\n`);
  };

  /** @returns the exit code that belongs to what was thrown */
  error(error: unknown): ExitCode {
    this.#clearBar();
    const known = error instanceof AppError ? error : describeSystemError(error);
    const exit = known?.exit ?? EXIT.ourBug;
    const problems: readonly Problem[] = known?.problems ?? [
      {
        code: 'INTERNAL',
        message: describeBug(error),
        hint: 'this is a bug of condense: run the command again with --debug and report what it prints',
      },
    ];
    if (this.#options.json) {
      this.#streams.stdout.write(`${renderRedactedJson({ v: 1, type: 'error', exit, problems })}\n`);
    } else {
      for (const problem of problems) this.#streams.stderr.write(`${redactUrls(this.#describeProblem(problem))}\n`);
    }
    if (this.#options.debug && error instanceof Error)
      this.#streams.stderr.write(`${redactUrls(describeCauses(error))}\n`);
    return exit;
  }

  #describeProblem(problem: Problem): string {
    const [first = '', ...rest] = problem.message.split('\n');
    return [
      `${this.#colour(31, 'error')}  ${problem.at === undefined ? '' : `${problem.at}  `}${first}`,
      ...rest.map((line) => `       ${line}`),
      ...(problem.hint === undefined ? [] : [`${this.#colour(36, 'hint')}   ${problem.hint}`]),
      `${this.#colour(2, 'code')}   ${problem.code}`,
    ].join('\n');
  }

  #describe(event: Exclude<WorkEvent, { type: 'progress' }>): string {
    switch (event.type) {
      case 'stage-started':
        return `${this.#colour(2, '>')} ${event.stage}${event.detail === undefined ? '' : ` (${event.detail})`}`;
      case 'stage-finished':
        return `${this.#colour(32, '✓')} ${event.stage} ${event.seconds.toFixed(1)} s${event.detail === undefined ? '' : `  ${event.detail}`}`;
      case 'note':
        return `note   ${event.text}`;
      case 'warning':
        return `${this.#colour(33, 'warning')}  ${event.text}`;
    }
  }

  #progress(event: Extract<WorkEvent, { type: 'progress' }>): void {
    const { stderr } = this.#streams;
    const now = performance.now();
    const finished = event.done >= event.total;
    // Lines in a log every ten seconds; a bar that moves ten times a second.
    if (!finished && now - this.#lastProgress < (stderr.isTTY ? 100 : 10_000)) return;
    this.#lastProgress = now;
    const percent = event.total === 0 ? 100 : Math.floor((100 * event.done) / event.total);
    const amount =
      event.unit === 'bytes'
        ? `${describeSize(event.done)} of ${describeSize(event.total)}`
        : `${event.done} of ${event.total} ${event.unit}`;
    if (!stderr.isTTY) {
      stderr.write(`  ${event.stage}: ${amount}\n`);
      return;
    }
    const width = Math.max(10, Math.min(30, stderr.columns - 50));
    const full = Math.round((width * percent) / 100);
    stderr.write(`\r\u001b[K  ${event.stage} [${'#'.repeat(full)}${'.'.repeat(width - full)}] ${percent}%  ${amount}`);
    this.#bar = true;
  }

  #clearBar(): void {
    if (this.#bar) this.#streams.stderr.write('\r\u001b[K');
    this.#bar = false;
  }

  /** no-color.org; and never into a pipe. */
  #colour(code: number, text: string): string {
    const { stderr, env } = this.#streams;
    return stderr.isTTY && !env['NO_COLOR'] && env['TERM'] !== 'dumb' ? `\u001b[${code}m${text}\u001b[0m` : text;
  }
}

/** What is no JSON comes from something else than condense: a start-up file of the node, say. */
function renderTaskLine(task: string | undefined, line: string): string {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value === 'object' && value !== null)
      return renderRedactedJson({ ...value, ...(task === undefined ? {} : { task }) });
  } catch {
    // told as it is
  }
  return renderRedactedJson({ v: 1, type: 'note', text: line, ...(task === undefined ? {} : { task }) });
}

function describeBug(error: unknown): string {
  return error instanceof Error ? `internal error: ${error.message}` : `internal error: ${String(error)}`;
}

function describeCauses(error: Error): string {
  const cause = error.cause instanceof Error ? `\ncaused by ${describeCauses(error.cause)}` : '';
  return `${error.stack ?? error.message}${cause}`;
}

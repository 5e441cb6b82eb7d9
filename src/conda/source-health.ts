// Which mirrors have failed so often in one run that they are asked last.

/** After so many packages that a host could not give at all, it is asked last: each would cost tries and waits. */
const FAILURES_UNTIL_LAST = 3;

export class SourceHealth {
  readonly #failures = new Map<string, number>();

  order(urls: readonly string[]): readonly string[] {
    const isIll = (url: string): number => Number((this.#failures.get(hostOf(url)) ?? 0) >= FAILURES_UNTIL_LAST);
    return urls.toSorted((a, b) => isIll(a) - isIll(b));
  }

  noteFailure(url: string): void {
    this.#failures.set(hostOf(url), (this.#failures.get(hostOf(url)) ?? 0) + 1);
  }
}

const hostOf = (url: string): string => new URL(url).host;

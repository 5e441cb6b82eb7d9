// What doctor says about one thing that it looked at.

export interface Finding {
  readonly name: string;
  readonly status: 'ok' | 'warning' | 'failure';
  /** Of damage to the site: the same as in errors. */
  readonly code?: string | undefined;
  readonly found: string;
  /** What to do; only where something is to be done. */
  readonly fix?: string | undefined;
}

// What a check found, before exceptions and waivers are looked at.

export interface RawResult {
  /** The same in every run: exceptions and waivers name it. */
  readonly name: string;
  readonly seconds: number;
  /** Why it failed; undefined when it passed. */
  readonly failure?: string | undefined;
  /** Why it was not tried. */
  readonly skipped?: { readonly reason: string; readonly until?: string | undefined } | undefined;
  /** Without it nothing else can be known: it cannot be waived. */
  readonly essential?: boolean | undefined;
}

// What a conda environment.yml says (docs.conda.io: "Creating an environment file manually").

export interface EnvironmentSpec {
  /** Absolute path of the file. */
  readonly file: string;
  readonly name?: string | undefined;
  /** As written, highest priority first; empty when the file names none. `nodefaults` is dropped. */
  readonly channels: readonly string[];
  readonly dependencies: readonly SpecLine[];
  /** The lines of the `pip:` section. */
  readonly pip: readonly SpecLine[];
  readonly variables: Readonly<Record<string, string>>;
  /** What a person should know though it is no error: an ignored prefix, a package listed twice. */
  readonly notes: readonly SpecLine[];
}

export interface SpecLine {
  /** A conda MatchSpec or a pip requirement, as written. */
  readonly text: string;
  /** `file:line:column` */
  readonly at: string;
}

// The site facts that are rendered into a release's launcher. Shared by src/ (which fills them in) and the launcher.

export interface LauncherFacts {
  /** `analysis3-26.11` */
  readonly fullName: string;
  /** Where the environment is inside the container: `/opt/conda/analysis3-26.11`. */
  readonly condaPrefix: string;
  /** A file inside the image; seen at this path it proves that an image of this version is mounted. */
  readonly marker: string;
  /** `<prefix>/apps/condense/releases/analysis3-26.11`: the releases of this version, each `<id>/env.sqsh`. */
  readonly releasesDir: string;
  /** `20261121T033306Z-1a2b3c4d` */
  readonly releaseId: string;
  /** The base container. */
  readonly base: string;
  /** apptainer or singularity, absolute. */
  readonly runtime: string;
  /** The Node that runs the planner, absolute. */
  readonly node: string;
  /** Host directories to bind where the node has them. */
  readonly binds: readonly string[];
  /** Directories that hold farms, as users see them: `<prefix>/apps/conda_scripts` and the store. */
  readonly farmRoots: readonly string[];
  /** Commands of the farm that run on the host, never in the image. */
  readonly outsideCommands: readonly string[];
  /** Of condense, which made this release: for --version. */
  readonly condenseVersion?: string | undefined;
  /** Patterns of hosts that see this site as this one does: ssh takes the environment there. */
  readonly sshHosts?: readonly string[] | undefined;
  /** What the release's module sets, PATH left out: it goes along. */
  readonly moduleVariables?: readonly string[] | undefined;
  /** What of the caller's environment does not come along; without, everything does. */
  readonly inherit?: InheritFacts | undefined;
  /** The group whose members may read the image, for the message that says so. */
  readonly usersGroup?: string | undefined;
  /** How commands share a mounted container; without, each mounts its own. */
  readonly sessions?: SessionFacts | undefined;
}

export interface InheritFacts {
  /** Variables that the program does not get. */
  readonly drop: readonly string[];
  /** Variables that are lists of directories, of which some are left out. */
  readonly lists: readonly ListRule[];
  /** Variables that it gets where the caller has none of that name. */
  readonly defaults: Readonly<Record<string, string>>;
}

export interface ListRule {
  readonly name: string;
  /** Entries that are such a directory, or below one, go; absolute, without a slash at the end. */
  readonly drop: readonly string[];
  /** But for those below one of these; the longest directory decides. */
  readonly keep: readonly string[];
}

export interface SessionFacts {
  /** `join`: only what `launcher --start-session` has started. */
  readonly policy: 'join' | 'join-or-start';
  /** On the node's own disk, writable for everybody, as /tmp. */
  readonly directory: string;
  /** A session that nobody was in for so long ends. */
  readonly idleSeconds: number;
  /** nsenter(1), absolute. */
  readonly nsenter: string;
  /** What enters one in a single step, absolute (enter-program.ts); without, nsenter and a shell do. */
  readonly enter?: string | undefined;
}

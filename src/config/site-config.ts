// The normalised configuration: what install_config.yaml says, with every default filled in and every path absolute.
import type { SpecLine } from './environment-spec.ts';

export interface SiteConfig {
  /** Absolute path of the install_config.yaml it came from. */
  readonly file: string;
  /** A short name for messages and module help. */
  readonly site: string;
  /** Absolute, no white space, colon, comma or control character: it stands in `#!` lines and bind options. */
  readonly prefix: string;
  readonly adminDir: string;
  /** Node-local scratch for the prefix that is being built. */
  readonly stagingDir: string;
  /** Relative to the prefix, e.g. `apps/conda_scripts`. */
  readonly scriptsDir: string;
  readonly envsDir: string;
  readonly modulesDir: string;
  readonly jupyterDir: string;
  readonly activateDir: string;
  /** `conda` in `module load conda/analysis3`. */
  readonly moduleFamily: string;
  readonly groups: { readonly users?: string | undefined; readonly owners?: string | undefined };
  readonly permissions: PermissionPolicy;
  readonly signing: SigningPolicy;
  /** The container runtime; looked up on PATH (apptainer, then singularity) when not given. */
  readonly runtimeProgram?: string | undefined;
  /** micromamba, mamba or conda, where the site wants one of them to install; else condense does. */
  readonly installerProgram?: string | undefined;
  readonly binds: BindPolicy;
  readonly sessions: SessionPolicy;
  readonly squashfs: SquashfsProfile;
  readonly channels: ChannelPolicy;
  readonly cache: CachePolicy;
  readonly gc: CollectRules;
  readonly scheduler: SchedulerOptions;
  readonly notify: NotifyPolicy;
  /** Virtual packages given instead of probed, e.g. `__cuda: '12.4'`. */
  readonly virtualPackages: Readonly<Record<string, string>>;
  /** The environment whose stable version `module load conda` gives. */
  readonly defaultEnvironment?: string | undefined;
  readonly environments: ReadonlyMap<string, EnvironmentOptions>;
}

/** Signatures of manifests (docs/admin.md). Paths are absolute. */
export interface SigningPolicy {
  /** The key that builds sign with, for `ssh-keygen -Y sign`: condense never reads it. */
  readonly key?: string | undefined;
  /** Whose signatures count (ssh-keygen(1), ALLOWED SIGNERS). */
  readonly allowedSigners?: string | undefined;
  /** Whether a release without a signature is refused. */
  readonly required: boolean;
}

/** Who may do what with a release, besides its owner (docs/admin.md). */
interface PermissionPolicy {
  /** Groups that may read the images besides `groups.users`, by POSIX ACL. */
  readonly readers: readonly string[];
  /** What to do where the file system has no ACLs: refuse to build, or do without the readers. */
  readonly acl: 'require' | 'fall-back';
  /** Whether the directories of releases are the owners' group's to write to. */
  readonly ownersWrite: boolean;
}

/** Host directories that are seen in the container, where the node has them. */
export interface BindPolicy {
  readonly run: readonly string[];
  /** Besides `run`, while building. */
  readonly build: readonly string[];
}

/** Whether commands share a mounted container on a node (docs/launcher.md). */
interface SessionPolicy {
  readonly policy: 'off' | 'join' | 'join-or-start';
  readonly idleSeconds: number;
  /** On the node's own disk. */
  readonly directory: string;
}

/** What jobs of a batch system are given (docs/admin.md). */
interface SchedulerOptions {
  /** Words of sbatch or qsub. */
  readonly options: readonly string[];
  /** By command of condense: more of them. */
  readonly commands: Readonly<Record<string, readonly string[]>>;
  /** The variable of a job that has a directory on the node's own disk. */
  readonly scratch?: string | undefined;
}

/** Who is told of each change of what users see. */
interface NotifyPolicy {
  /** A program and its arguments; none: nobody. */
  readonly command: readonly string[];
  readonly timeoutSeconds: number;
}

/** What `condense gc` keeps besides what is live. */
export interface CollectRules {
  /** Of each version. */
  readonly releases: number;
  readonly generations: number;
  readonly longestJobDays: number;
  readonly cacheDays: number;
  readonly scheduler: 'auto' | 'slurm' | 'none';
  /** `<full name>/<release id>` or full names. */
  readonly pinned: readonly string[];
  /** Globs of absolute paths. */
  readonly venvs: readonly string[];
}

export interface SquashfsProfile {
  readonly compression: 'zstd' | 'gzip' | 'lz4' | 'xz' | 'none';
  readonly level?: number | undefined;
  readonly blockSizeBytes: number;
  /** Whether what a traced run of the gate's imports opens stands together. */
  readonly order: 'traced' | 'none';
  /** Default: every processor that this process may use. */
  readonly processors?: number | undefined;
  readonly memoryMiB?: number | undefined;
}

interface ChannelPolicy {
  /** Used by a spec that names none. */
  readonly defaults: readonly string[];
  /** Where a bare channel name such as `conda-forge` is found (conda's `channel_alias`). */
  readonly alias: string;
  /** By the name or URL of a channel, or what several begin with: who is asked instead, in order. */
  readonly mirrors: Readonly<Record<string, readonly string[]>>;
  /** As written: see `parseExcludeNewer`. */
  readonly excludeNewer?: string | undefined;
}

interface CachePolicy {
  /** Whether packages are kept as they were extracted, too. */
  readonly extracted: boolean;
}

export interface EnvironmentOptions {
  readonly name: string;
  /** Always text: `26.11`, never the number 26.11. */
  readonly version: string;
  /** Absolute path of the environment.yml. */
  readonly specFile: string;
  /** Others may have the same environment.yml: its lock has its name. */
  readonly isOfMatrix?: boolean | undefined;
  /** conda's names of those that a lock has, e.g. `linux-64`; none: that of the machine. */
  readonly platforms?: readonly string[] | undefined;
  /** The version behind the name itself, e.g. `analysis3`. */
  readonly stable?: string | undefined;
  /** The version behind `analysis3-unstable`. */
  readonly unstable?: string | undefined;
  /** Whether replacing the release of the version that is stable has to be asked for. */
  readonly protectStable: boolean;
  readonly gate: GatePolicy;
  /** Commands that get a link in the farm and run on the host, e.g. `ssh`. */
  readonly outsideCommands: readonly string[];
  /** Patterns of hosts that ssh takes the environment to. */
  readonly sshHosts: readonly string[];
  /** MatchSpecs that hold for what is installed but install nothing: the site's, then the environment's own. */
  readonly pinned: readonly SpecLine[];
  readonly customise: CustomRules;
  readonly drop: DropRules;
  readonly inherit: InheritPolicy;
  readonly module: ModulePolicy;
}

/** Something that the gate lets pass, why, and until which day: `2027-06-30`. */
export interface GateException {
  readonly reason: string;
  readonly until: string;
}

/** What a release must pass (docs/admin.md). */
export interface GatePolicy {
  /** Modules that are imported besides the top-level ones of all packages. */
  readonly imports: readonly string[];
  /** By module. */
  readonly skip: Readonly<Record<string, GateException>>;
  readonly preload: Readonly<Record<string, GateException & { readonly first: readonly string[] }>>;
  /** By the name of the check. */
  readonly expectedFailures: Readonly<Record<string, GateException>>;
  /** Commands that are called with --help. */
  readonly help: readonly string[];
  /** Of each check. */
  readonly timeoutMs: number;
  /** Default: every processor that this process may use. */
  readonly processes?: number | undefined;
}

/** What the module does besides what activation does. */
export interface ModulePolicy {
  /** `{prefix}`, `{farm}` and `{launcher}` stand for paths. */
  readonly variables: Readonly<Record<string, string>>;
  readonly prerequisites: readonly string[];
  readonly noticeAfterDays?: number | undefined;
  /** `2027-06-30`, the last day. */
  readonly endOfLife?: string | undefined;
  readonly ownEnvironments?: OwnEnvironments | undefined;
}

/** What conda and mamba of an environment are told for environments of the users' own. */
export interface OwnEnvironments {
  /** `$NAME` stands for a variable of the user. */
  readonly directory: string;
  readonly packageCaches: readonly string[];
  readonly channels: readonly string[];
  readonly threads?: number | undefined;
  readonly pinned: readonly string[];
}

/** What of a caller's environment does not come along into the container (docs/launcher.md). */
export interface InheritPolicy {
  readonly drop: readonly string[];
  /** By name: directories whose entries go, those with `!` before them stay. */
  readonly lists: Readonly<Record<string, readonly string[]>>;
  /** Whether Python's user site packages count. */
  readonly userSite: boolean;
}

/** What an environment has otherwise than its packages, each rule with its place in the configuration. */
export interface CustomRules {
  readonly remove: readonly RemoveRule[];
  readonly replace: readonly ReplaceRule[];
  readonly files: readonly FileRule[];
  readonly hooks: HookRules;
  readonly libraries: LibraryPolicy;
}

export interface RemoveRule {
  readonly package: string;
  /** Packages that depend on it and do without. */
  readonly spared: readonly string[];
  readonly at: string;
}

export interface ReplaceRule {
  readonly package: string;
  /** The directory of the site's installation. */
  readonly by: string;
  readonly at: string;
}

export interface FileRule {
  /** Relative to the prefix. */
  readonly to: string;
  /** A file or directory, absolute. */
  readonly from: string;
  readonly at: string;
}

/** When a hook runs: with all packages there; with everything done to the prefix; with the image packed. */
export type HookStage = 'stage' | 'customise' | 'pack';

interface HookRules {
  readonly programs: readonly HookRule[];
  readonly timeoutMs: number;
}

export interface HookRule {
  readonly stage: HookStage;
  /** Absolute. */
  readonly file: string;
  readonly at: string;
}

export interface LibraryPolicy {
  readonly strict: boolean;
  /** Globs of sonames. */
  readonly elsewhere: readonly string[];
}

/** What is left out of the image: the site's rules where the environment has none of its own, the patterns of both. */
export interface DropRules {
  readonly staticLibraries: boolean;
  readonly tests: boolean;
  /** Globs of paths below the prefix, with their place in the configuration. */
  readonly patterns: readonly SpecLine[];
  /** Globs of what no rule may take. */
  readonly keep: readonly string[];
}

/** `analysis3-26.11` */
export function fullName(environment: Pick<EnvironmentOptions, 'name' | 'version'>): string {
  return `${environment.name}-${environment.version}`;
}

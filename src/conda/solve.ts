// Specs and channels to the exact packages of an environment.
import type { SpecLine } from '../config/environment-spec.ts';
import { AppError, type Problem } from '../system/app-error.ts';
import type { Report } from '../system/events.ts';
import { EXIT } from '../system/exit-codes.ts';
import { redactUrls } from '../system/redact-urls.ts';
import { parseChannels, type Channel } from './channel.ts';
import { OPEN_ACCESS, type ChannelAccess } from './channel-access.ts';
import { planSources } from './channel-sources.ts';
import { fetchShards, ShardsMissing } from './fetch-shards.ts';
import { digestInputs, type EnvironmentLock, type LockedPackage } from './lock.ts';
import { lockPackages } from './lock-packages.ts';
import { describeInvalidSpec, parseSpecs, type RequestedSpec } from './match-spec.ts';
import { withNamedChannels } from './named-channels.ts';
import { fetchRepodata, removeCachedRepodata, type SubdirRepodata } from './repodata.ts';
import { runSolver } from './run-solver.ts';
import type { KeptFile, SolveAnswer, SolveTask } from './solve-task.ts';
import { describeConflict, describeUnknownNames } from './solve-problem.ts';
import { parseVirtualPackages } from './virtual-packages.ts';

export interface SolveInputs {
  readonly specs: readonly SpecLine[];
  /** Specs that constrain what is installed and install nothing. */
  readonly pinned?: readonly SpecLine[] | undefined;
  /** Names, URLs or absolute paths, highest priority first. */
  readonly channels: readonly string[];
  /** Where bare channel names are found (conda's `channel_alias`). */
  readonly channelAlias: string;
  /** `linux-64` */
  readonly platform: string;
  /** As `probeVirtualPackages` gives them. */
  readonly virtualPackages: Readonly<Record<string, string>>;
}

/** A package of a lock, ours or another's. */
type KeptPackage = Pick<LockedPackage, 'name' | 'channel' | 'subdir' | 'url'> & {
  readonly sha256?: string | undefined;
};

export interface SolveRequest extends SolveInputs {
  /** Repodata is kept here between solves, and asked for again when it has changed. */
  readonly repodataCacheDir: string;
  /** What is locked already: to be taken where it can be, or nothing else of those names. */
  readonly keep?: { readonly packages: readonly KeptPackage[]; readonly how: 'prefer' | 'only' } | undefined;
  /** Milliseconds: what was made then or later, or does not say when, is not considered. */
  readonly excludeNewerMs?: number | undefined;
  /** How to reach the channels. Default: with the credentials in their URLs alone. */
  readonly access?: ChannelAccess | undefined;
  readonly report: Report;
  readonly signal?: AbortSignal | undefined;
}

/** What a lock says that it was made from. Asks nobody. @throws AppError CHANNEL_INVALID */
export function describeSolveInputs(inputs: SolveInputs): {
  readonly specs: readonly string[];
  readonly pinned: readonly string[];
  readonly channels: readonly string[];
  /** The digest that a lock of these inputs has: another one means that the lock is stale. */
  readonly digest: string;
} {
  const specs = inputs.specs.map(({ text }) => redactUrls(text)).sort();
  const pinned = (inputs.pinned ?? []).map(({ text }) => redactUrls(text)).sort();
  const channels = parseChannels(inputs.channels, inputs.channelAlias).map(({ publicUrl }) => publicUrl);
  const { platform, virtualPackages } = inputs;
  // No spec starts with a bracket.
  const all = [...specs, ...pinned.map((text) => `[pinned] ${text}`)];
  return { specs, pinned, channels, digest: digestInputs({ specs: all, channels, platform, virtualPackages }) };
}

/**
 * Solves under strict channel priority. Equal inputs and equal repodata give equal locks.
 * @throws AppError SPEC_INVALID, CHANNEL_INVALID, VIRTUAL_PACKAGE_INVALID (configuration); CHANNEL_UNREACHABLE,
 *   CHANNEL_CORRUPT, PACKAGE_NOT_FOUND, SOLVE_UNSATISFIABLE, PACKAGE_UNVERIFIABLE, SOLVER_FAILED (build); INTERRUPTED
 */
export async function solveEnvironment(request: SolveRequest): Promise<EnvironmentLock> {
  const specs = parseSpecs(request.specs);
  const pins = parseSpecs(request.pinned ?? []);
  const all = [...specs, ...pins];
  const channels = withNamedChannels(parseChannels(request.channels, request.channelAlias), all, request.channelAlias);
  const access = { ...(request.access ?? OPEN_ACCESS), channels: channels.list };
  const answer = await askSolver({ ...request, access }, channels.list, (subdirs) => ({
    specs: all.map((spec, position) => ({
      text: spec.solverText,
      name: spec.name,
      channel: channels.ofSpec.get(position),
      isPin: position >= specs.length,
    })),
    subdirs: subdirs.map(({ channel, subdir, file, form }) => ({
      channel: channels.list.indexOf(channel),
      subdir,
      file,
      form,
    })),
    platform: request.platform,
    virtualPackages: parseVirtualPackages(request.virtualPackages),
    keep: request.keep && { how: request.keep.how, packages: keptFiles(request.keep.packages, channels.list) },
    excludeNewerMs: request.excludeNewerMs,
  }));
  if (answer.kind === 'solved' || answer.kind === 'unsatisfiable') warnOfRefused(answer.refused, request.report);
  switch (answer.kind) {
    case 'solved': {
      const inputs = describeSolveInputs(request);
      return {
        lockVersion: 1,
        platform: request.platform,
        inputsDigest: inputs.digest,
        channels: channels.list.map(({ publicUrl }) => publicUrl),
        specs: inputs.specs,
        ...(inputs.pinned.length > 0 ? { pinned: inputs.pinned } : {}),
        ...(request.excludeNewerMs === undefined
          ? {}
          : { excludeNewer: new Date(request.excludeNewerMs).toISOString() }),
        virtualPackages: request.virtualPackages,
        packages: lockPackages(answer.files, channels.list),
      };
    }
    case 'kept-gone':
      throw new AppError(EXIT.buildFailed, {
        code: 'PACKAGE_GONE',
        message: `the channels do not have these any more as they are locked: ${answer.names.join(', ')}`,
        hint: `let them move as well: condense lock <environment> --update ${answer.names.join(' ')}`,
      });
    case 'invalid-specs':
      throw new AppError(
        EXIT.configuration,
        answer.specs.map(({ spec, why }) => describeInvalidSpec(specOf(all, spec).line, why)),
      );
    case 'unknown-names':
      throw new AppError(
        EXIT.buildFailed,
        describeUnknownNames(
          answer.specs.map(({ spec, similar }) => ({ spec: specOf(all, spec), similar })),
          channels.list,
        ),
      );
    case 'unsatisfiable':
      throw new AppError(EXIT.buildFailed, describeConflict(answer.explanation, specs, pins, answer));
  }
}

/**
 * Every channel that a solve of these inputs asks, with its credentials.
 * @throws AppError SPEC_INVALID, CHANNEL_INVALID
 */
export function listChannels(
  inputs: Pick<SolveInputs, 'specs' | 'pinned' | 'channels' | 'channelAlias'>,
): readonly Channel[] {
  const specs = parseSpecs([...inputs.specs, ...(inputs.pinned ?? [])]);
  return withNamedChannels(parseChannels(inputs.channels, inputs.channelAlias), specs, inputs.channelAlias).list;
}

/** Those of channels that are not asked any more can be kept by nobody. */
function keptFiles(packages: readonly KeptPackage[], channels: readonly Channel[]): readonly KeptFile[] {
  return packages.map((locked) => ({
    name: locked.name.toLowerCase(),
    channel: channels.findIndex(({ publicUrl }) => publicUrl === locked.channel),
    subdir: locked.subdir,
    file: URL.parse(locked.url)?.pathname.split('/').at(-1) ?? '',
    sha256: locked.sha256,
  }));
}

function specOf(specs: readonly RequestedSpec[], position: number): RequestedSpec {
  const spec = specs[position];
  if (!spec) throw new RangeError(`the solver names spec ${position} of ${specs.length}`);
  return spec;
}

function warnOfRefused(refused: readonly string[], report: Report): void {
  if (refused.length === 0) return;
  const shown = refused.slice(0, 5).join('\n');
  report({
    type: 'warning',
    text: `${refused.length} records of the channels were left out:\n${shown}${refused.length > 5 ? '\n...' : ''}`,
  });
}

type Answer = Exclude<SolveAnswer, { readonly kind: 'bad-repodata' }>;

/**
 * Fetches the repodata and solves. What turns out to be no repodata is fetched anew, once where it was a copy that was
 * there before; shards that are wrong or missing are done without (CEP 16: repodata.json is what every channel has); then
 * the channel's next mirror is asked. @throws AppError CHANNEL_CORRUPT for all that were asked
 */
async function askSolver(
  request: SolveRequest & { readonly access: ChannelAccess },
  channels: readonly Channel[],
  planTask: (subdirs: readonly SubdirRepodata[]) => SolveTask,
): Promise<Answer> {
  const { access, repodataCacheDir: cacheDir, report, signal } = request;
  const unusable = new Set<string>();
  const whole = new Set<string>();
  const problems: Problem[] = [];
  for (;;) {
    const subdirs = await fetchRepodata({ ...request, channels, cacheDir, unusable, whole }).catch((error: unknown) => {
      if (!(error instanceof AppError) || error.exit !== EXIT.buildFailed) throw error;
      throw new AppError(EXIT.buildFailed, [...problems, ...error.problems], { cause: error });
    });
    let asked: SubdirRepodata | undefined;
    const answer = await runSolver(
      planTask(subdirs),
      async ({ subdir, shardsBaseUrl, digests }) => {
        const of = subdirs[subdir];
        if (!of) throw new RangeError(`the solver asks for shards of subdir ${subdir}`);
        asked = of;
        return await fetchShards({ of, shardsBaseUrl, digests, access, cacheDir, signal });
      },
      signal,
    ).catch((error: unknown) => {
      if (!(error instanceof ShardsMissing) || !asked) throw error;
      return { kind: 'bad-repodata', subdir: subdirs.indexOf(asked), why: error.message } as const;
    });
    if (answer.kind !== 'bad-repodata') return answer;
    const bad = subdirs[answer.subdir];
    if (!bad) throw new RangeError(`the solver names subdir ${answer.subdir}`);
    problems.push(describeCorrupt(bad, answer.why, access));
    if (access.offline) throw new AppError(EXIT.buildFailed, problems);
    await removeCachedRepodata(cacheDir, bad.file);
    if (!bad.reused && bad.form === 'shards') {
      whole.add(`${bad.source.publicUrl}/${bad.subdir}`);
      const { message = '' } = problems.at(-1) ?? {};
      report({ type: 'warning', text: `${message}: its repodata.json is read instead` });
      continue;
    }
    if (!bad.reused) unusable.add(bad.source.publicUrl);
    const left = planSources(bad.channel, access.mirrors).filter(({ publicUrl }) => !unusable.has(publicUrl));
    if (left.length === 0) throw new AppError(EXIT.buildFailed, problems);
    report({ type: 'warning', text: `${problems.at(-1)?.message ?? ''}: it is asked for again` });
  }
}

function describeCorrupt({ channel, subdir, source }: SubdirRepodata, why: string, access: ChannelAccess): Problem {
  const mirror = source.publicUrl === channel.publicUrl ? '' : ` at its mirror ${source.publicUrl}`;
  return {
    code: 'CHANNEL_CORRUPT',
    message: `channel ${channel.publicUrl}${mirror} has repodata for ${subdir} that cannot be read: ${why}`,
    hint: access.offline
      ? 'run it once without --offline'
      : 'run it again: the copy was removed; if it happens again, tell the owner of the channel',
  };
}

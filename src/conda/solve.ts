// Specs and channels to the exact packages of an environment.
import { Worker } from 'node:worker_threads';
import type { SpecLine } from '../config/environment-spec.ts';
import { AppError, errorMessage, type Problem } from '../system/app-error.ts';
import type { Report } from '../system/events.ts';
import { EXIT } from '../system/exit-codes.ts';
import { redactUrls } from '../system/redact-urls.ts';
import { parseChannel, parseChannels, type Channel } from './channel.ts';
import { OPEN_ACCESS, type ChannelAccess } from './channel-access.ts';
import { digestInputs, type EnvironmentLock, type LockedPackage } from './lock.ts';
import { describeInvalidSpec, parseSpecs, type RequestedSpec } from './match-spec.ts';
import { fetchRepodata, removeCachedRepodata, type SubdirRepodata } from './repodata.ts';
import type { SolveAnswer, SolvedFile, SolveTask } from './solve-worker.ts';
import { describeConflict, describeUnknownNames } from './solve-problem.ts';
import { parseVirtualPackages } from './virtual-packages.ts';

interface SolveInputs {
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

export interface SolveRequest extends SolveInputs {
  /** Repodata is kept here between solves, and asked for again when it has changed. */
  readonly repodataCacheDir: string;
  /** How to reach the channels. Default: with the credentials in their URLs alone. */
  readonly access?: ChannelAccess | undefined;
  readonly report: Report;
  readonly signal?: AbortSignal | undefined;
}

/** The digest that a lock of these inputs has: another one means that the lock is stale. Asks nobody. */
function digestSolveInputs(inputs: SolveInputs): string {
  return digestInputs({
    specs: [
      ...inputs.specs.map(({ text }) => redactUrls(text)),
      // No spec starts with a bracket.
      ...(inputs.pinned ?? []).map(({ text }) => `[pinned] ${redactUrls(text)}`),
    ],
    channels: parseChannels(inputs.channels, inputs.channelAlias).map(({ publicUrl }) => publicUrl),
    platform: inputs.platform,
    virtualPackages: inputs.virtualPackages,
  });
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
  const subdirs = await fetchRepodata({
    ...request,
    channels: channels.list,
    access: { ...(request.access ?? OPEN_ACCESS), channels: channels.list },
    cacheDir: request.repodataCacheDir,
  });
  const task: SolveTask = {
    specs: all.map((spec, position) => ({
      text: spec.solverText,
      name: spec.name,
      channel: channels.ofSpec.get(position),
      isPin: position >= specs.length,
    })),
    subdirs: subdirs.map(({ channel, subdir, file }) => ({ channel: channels.list.indexOf(channel), subdir, file })),
    platform: request.platform,
    virtualPackages: parseVirtualPackages(request.virtualPackages),
  };
  const answer = await runSolver(task, request.signal);
  if (answer.kind === 'solved' || answer.kind === 'unsatisfiable') warnOfRefused(answer.refused, request.report);
  switch (answer.kind) {
    case 'solved':
      return {
        lockVersion: 1,
        platform: request.platform,
        inputsDigest: digestSolveInputs(request),
        channels: channels.list.map(({ publicUrl }) => publicUrl),
        virtualPackages: request.virtualPackages,
        packages: lockPackages(answer.files, channels.list),
      };
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
    case 'bad-repodata':
      throw await corruptChannel(subdirs[answer.subdir], answer.why, request.repodataCacheDir);
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

/** The channels of the list, then those that a spec names (`channel::name`) and the list does not: as conda has it. */
function withNamedChannels(
  listed: readonly Channel[],
  specs: readonly RequestedSpec[],
  alias: string,
): { readonly list: readonly Channel[]; readonly ofSpec: ReadonlyMap<number, number> } {
  const list = [...listed];
  const ofSpec = new Map<number, number>();
  const pins = new Map<string, RequestedSpec>();
  const problems: Problem[] = [];
  for (const [position, spec] of specs.entries()) {
    if (spec.channel === undefined) continue;
    const channel = parseChannel(spec.channel, alias);
    if ('code' in channel) {
      problems.push({ ...channel, at: spec.line.at });
      continue;
    }
    if (!list.some(({ publicUrl }) => publicUrl === channel.publicUrl)) list.push(channel);
    const place = list.findIndex(({ publicUrl }) => publicUrl === channel.publicUrl);
    const other = pins.get(spec.name);
    if (other && ofSpec.get(specs.indexOf(other)) !== place) {
      problems.push(describeInvalidSpec(spec.line, `${other.line.at} wants ${spec.name} from another channel`));
    }
    pins.set(spec.name, spec);
    ofSpec.set(position, place);
  }
  if (problems.length > 0) throw new AppError(EXIT.configuration, problems);
  return { list, ofSpec };
}

async function runSolver(task: SolveTask, signal: AbortSignal | undefined): Promise<SolveAnswer> {
  // Built, the worker is a file beside the bundle; in the source tree, Node runs the TypeScript.
  const file = import.meta.url.endsWith('.ts') ? './solve-worker.ts' : './solve-worker.mjs';
  const worker = new Worker(new URL(file, import.meta.url), { workerData: task, stderr: true });
  const { promise, resolve, reject } = Promise.withResolvers<SolveAnswer>();
  let said = '';
  worker.stderr.on('data', (chunk: Buffer) => {
    said += chunk.toString('utf8');
  });
  worker.once('message', resolve);
  worker.once('error', (error: unknown) => {
    reject(solverFailed(error, said));
  });
  worker.once('exit', () => {
    reject(signal?.aborted ? interrupted() : solverFailed(new Error('it ended without an answer'), said));
  });
  const stop = (): void => void worker.terminate();
  signal?.addEventListener('abort', stop, { once: true });
  if (signal?.aborted) stop();
  try {
    return await promise;
  } finally {
    signal?.removeEventListener('abort', stop);
    await worker.terminate();
  }
}

function solverFailed(error: unknown, said: string): AppError {
  // A panic prints its place, then a stack of WebAssembly addresses that says nothing.
  const panic = said.split('\n\nStack:')[0]?.trim() ?? '';
  return new AppError(
    EXIT.buildFailed,
    {
      code: 'SOLVER_FAILED',
      message: `the solver broke down: ${[errorMessage(error), panic].filter((text) => text !== '').join('\n')}`,
      hint: 'a spec or a package of these channels is more than the solver can read: leave specs out one by one to find it',
    },
    { cause: error },
  );
}

const interrupted = (): AppError =>
  new AppError(EXIT.interrupted, { code: 'INTERRUPTED', message: 'the solve was interrupted' });

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

/** Sorted by name, in code units. @throws AppError PACKAGE_UNVERIFIABLE for those without a sha256, all at once */
function lockPackages(files: readonly SolvedFile[], channels: readonly Channel[]): readonly LockedPackage[] {
  const problems: Problem[] = [];
  const packages = files.map((file): LockedPackage => {
    const channel = channels[file.channel]?.publicUrl ?? '';
    if (file.sha256 === undefined) {
      problems.push({
        code: 'PACKAGE_UNVERIFIABLE',
        message: `${file.subdir}/${file.file} of channel ${channel} has no sha256 in the repodata, so its download cannot be verified`,
        hint: `ask the channel's owner to index it anew (conda index writes sha256), or choose another build of ${file.name}`,
      });
    }
    return {
      name: file.name,
      version: file.version,
      build: file.build,
      buildNumber: file.buildNumber,
      channel,
      subdir: file.subdir,
      url: packageUrl(file, channel),
      sha256: file.sha256 ?? '',
      ...(file.md5 === undefined ? {} : { md5: file.md5 }),
      ...(file.sizeBytes === undefined ? {} : { sizeBytes: file.sizeBytes }),
    };
  });
  if (problems.length > 0) throw new AppError(EXIT.buildFailed, problems);
  return packages.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** CEP 15: `base_url`, absolute or relative to the subdir, with or without a slash at the end. */
function packageUrl(file: SolvedFile, channel: string): string {
  const subdirUrl = `${channel}/${file.subdir}/`;
  const base = URL.parse(`${(file.baseUrl ?? '').replace(/\/*$/, '')}/`.replace(/^\/$/, ''), subdirUrl);
  const isAllowed =
    base && (/^https?:$/.test(base.protocol) || (base.protocol === 'file:' && subdirUrl.startsWith('file:')));
  if (!isAllowed || base.search !== '' || base.hash !== '') {
    throw new AppError(EXIT.buildFailed, {
      code: 'CHANNEL_CORRUPT',
      message: `channel ${channel} sends downloads for ${file.subdir} to ${JSON.stringify(redactUrls(file.baseUrl ?? ''))}`,
      hint: 'tell the owner of the channel: base_url in its repodata.json must be an http(s) URL (CEP 15)',
    });
  }
  return redactUrls(new URL(file.file, base).href);
}

async function corruptChannel(from: SubdirRepodata | undefined, why: string, cacheDir: string): Promise<AppError> {
  if (from) await removeCachedRepodata(cacheDir, from.file);
  return new AppError(EXIT.buildFailed, {
    code: 'CHANNEL_CORRUPT',
    message: `channel ${from?.channel.publicUrl ?? ''} has repodata for ${from?.subdir ?? ''} that cannot be read: ${why}`,
    hint: 'run it again: the copy was removed; if it happens again, tell the owner of the channel',
  });
}

// `condense mirror`: exactly what locks need, as channels that any web server can serve.
import path from 'node:path';
import { readChannelAccess, type ChannelAccess } from '../conda/channel-access.ts';
import { parseMirrors } from '../conda/channel-sources.ts';
import { parseChannels, type Channel } from '../conda/channel.ts';
import { parseLock, parseLocks, renderLock } from '../conda/lock.ts';
import { readEnvironmentSpec } from '../config/read-config.ts';
import { listPackages, type MirroredLock, type MirrorPlan } from '../mirror/mirror-plan.ts';
import { planMirrorChange, writeMirror, type MirrorChange } from '../mirror/write-mirror.ts';
import { parseIfReleaseName } from '../release/release-name.ts';
import { readCurrentGeneration } from '../release/site-state.ts';
import { checkOwner } from '../site/permissions.ts';
import { AppError } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import { digestText, lstatIfThere, readText } from '../system/files.ts';
import { useNetworkSettings } from '../system/network.ts';
import type { Session } from './session.ts';
import { describeSize } from '../system/describe-size.ts';

export interface MirrorOptions {
  readonly prune?: boolean | undefined;
  readonly dryRun?: boolean | undefined;
}

/** @param names of releases, live environments or lock files; none means everything that is live */
export async function runMirror(
  session: Session,
  directory: string,
  names: readonly string[],
  options: MirrorOptions,
): Promise<void> {
  const { config, layout, output, signal } = session;
  const dir = path.resolve(directory);
  const locks = await readLocks(session, names);
  const wanted = { dir, locks, prune: options.prune ?? false };
  if (options.dryRun) {
    const change = await planMirrorChange(wanted);
    reportNotes(session, change);
    output.result(describeData(dir, change), describeChange(dir, change));
    return;
  }
  await checkOwner(config, layout);
  await useNetworkSettings(process.env);
  const outcome = await writeMirror({
    ...wanted,
    alias: config.channels.alias,
    access: await readAccess(session, locks),
    packageCacheDir: layout.packageCache,
    repodataCacheDir: layout.repodataCache,
    report: output.report,
    signal,
  });
  const { changed, missing, plan } = outcome;
  reportNotes(session, outcome);
  const held = `${countFiles(plan)} of ${plan.locks.length} locks`;
  output.result({ ...describeData(dir, outcome), changed }, [
    changed ? `${dir} has ${held}; ${missing.length} came now` : `${dir} had ${held} already: nothing to do`,
    ...plan.channels.map(({ url, path: at }) => `  ${url} is ${dir}/${at}`),
  ]);
}

function reportNotes({ output }: Session, { plan }: MirrorChange): void {
  for (const text of plan.notes) output.report({ type: 'note', text });
}

function describeData(dir: string, { plan, missing, unneeded }: MirrorChange): object {
  return {
    directory: dir,
    locks: plan.locks.map(({ name }) => name),
    channels: plan.channels.map(({ url, path: at }) => ({ url, path: at })),
    packages: listPackages(plan).length,
    distributions: plan.distributions.length,
    added: missing.map(({ path: at }) => at),
    removed: unneeded,
  };
}

function describeChange(dir: string, { plan, missing, unneeded }: MirrorChange): string[] {
  const bytes = missing.reduce((sum, { locked }) => sum + (locked.sizeBytes ?? 0), 0);
  return [
    `mirror   ${dir}: ${countFiles(plan)} of ${plan.locks.length} locks`,
    ...plan.channels.map(({ url, path: at }) => `         ${url} as ${at}`),
    `fetch    ${missing.length} files, ${describeSize(bytes)}, those in the cache included`,
    ...missing.map(({ path: at }) => `add      ${at}`),
    ...unneeded.map((file) => `remove   ${file}`),
  ];
}

function countFiles(plan: MirrorPlan): string {
  const distributions = plan.distributions.length > 0 ? ` and ${plan.distributions.length} distributions` : '';
  return `${listPackages(plan).length} packages${distributions}`;
}

async function readLocks(session: Session, names: readonly string[]): Promise<MirroredLock[]> {
  const { layout } = session;
  const current = await readCurrentGeneration(layout);
  const live = current?.versions ?? new Map<string, string>();
  const wanted = names.length > 0 ? names : [...live.keys()];
  if (wanted.length === 0) {
    throw new AppError(EXIT.usage, {
      code: 'MIRROR_EMPTY',
      message: 'nothing is live, so there is nothing to mirror',
      hint: 'name a lock: condense mirror <directory> environment.lock.yml',
    });
  }
  const locks = await Promise.all(
    wanted.map(async (name): Promise<readonly MirroredLock[]> => {
      const shown = live.get(name) === undefined ? (current?.aliases.get(name) ?? name) : name;
      const shownId = live.get(shown);
      if (shownId !== undefined) return [await readReleaseLock(session, shown, shownId)];
      const release = parseIfReleaseName(name);
      return release ? [await readReleaseLock(session, release.fullName, release.id)] : await readLockFile(name);
    }),
  );
  return locks.flat();
}

async function readReleaseLock({ layout }: Session, fullName: string, id: string): Promise<MirroredLock> {
  const file = layout.release(fullName, id).lock;
  if (!(await lstatIfThere(file))) throw lockMissing(`there is no release ${fullName}/${id}, or it has no lock`, file);
  const text = await readText(file);
  return { name: `${fullName}-${id}`, title: `${fullName}, release ${id}`, text, lock: parseLock(text, file) };
}

/** One for each platform. Two that are called alike are told apart by what they hold. */
async function readLockFile(name: string): Promise<readonly MirroredLock[]> {
  const file = path.resolve(name);
  if (!(await lstatIfThere(file)))
    throw lockMissing(`${JSON.stringify(name)} is neither live, nor a release, nor a lock file`, file);
  const text = await readText(file);
  const stem = path.basename(file).replace(/(?:\.lock)?\.ya?ml$/, '');
  const plain = stem.replaceAll(/[^A-Za-z0-9._-]/g, '_').replace(/^[^A-Za-z0-9_]/, '_');
  const locks = parseLocks(text, file);
  return locks.map((lock) => {
    const own = locks.length > 1 ? renderLock(lock) : text;
    const platform = locks.length > 1 ? ` for ${lock.platform}` : '';
    return {
      name: `${plain}-${digestText(own).slice(0, 8)}`,
      title: `${path.basename(file)}${platform}`,
      text: own,
      lock,
    };
  });
}

function lockMissing(message: string, at: string): AppError {
  return new AppError(EXIT.usage, { code: 'LOCK_MISSING', message, at, hint: 'condense list --releases' });
}

/** Locks know no credentials: those of the channels as the configuration and the specs write them, and of netrc. */
async function readAccess({ config, output }: Session, locks: readonly MirroredLock[]): Promise<ChannelAccess> {
  const { alias, defaults } = config.channels;
  const channels: Channel[] = [...parseChannels(defaults, alias)];
  for (const { specFile } of config.environments.values()) {
    try {
      channels.push(...parseChannels((await readEnvironmentSpec(specFile)).channels, alias));
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      output.report({ type: 'note', text: `credentials of its channels are not known: ${error.message}` });
    }
  }
  const urls = locks.flatMap(({ lock }) => [...lock.channels, ...lock.packages.map(({ channel }) => channel)]);
  channels.push(...[...new Set(urls)].map((url) => ({ url, publicUrl: url })));
  return await readChannelAccess(channels, process.env, {
    mirrors: parseMirrors(config.channels.mirrors, alias),
    report: output.report,
  });
}

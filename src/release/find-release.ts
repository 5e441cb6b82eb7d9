// Looking through the releases of one version, and clearing what killed builds left among them.
import path from 'node:path';
import type { Layout, StoreLayout } from '../site/layout.ts';
import { AppError } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import { lstatIfThere, pathExists, readdir, readdirIfThere, readRegularText, removeTree } from '../system/files.ts';
import { parseGateRecord } from './gate-report.ts';
import { parseManifest, type ReleaseManifest } from './manifest.ts';
import { readCurrentGeneration } from './site-state.ts';
import { verifyRelease } from './verify-release.ts';

/** Ids of the releases on disk, newest first. */
export async function readReleaseIds(layout: Layout, fullName: string): Promise<string[]> {
  return ((await readdirIfThere(layout.releasesOf(fullName))) ?? [])
    .filter((name) => /^\d{8}T\d{6}Z-/.test(name))
    .sort()
    .toReversed();
}

/**
 * The time of a release that is made now, ISO 8601. Ids sort by it, so it is later than that of every release on disk,
 * even where this machine's clock is behind, or was ahead when the newest one was made.
 */
export async function readNextTime(layout: Layout, fullName: string, nowMs = Date.now()): Promise<string> {
  const newest = (await readReleaseIds(layout, fullName))[0];
  const [, year, month, day, hour, minute, second] =
    /^(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})Z-/.exec(newest ?? '') ?? [];
  const newestMs = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  return new Date(Number.isNaN(newestMs) ? nowMs : Math.max(nowMs, newestMs + 1000)).toISOString();
}

/** @throws AppError RELEASE_MISSING, MANIFEST_INVALID (exit 7) */
export async function readManifest(layout: StoreLayout, fullName: string, id: string): Promise<ReleaseManifest> {
  const file = layout.release(fullName, id).manifest;
  const text = await readRegularText(file);
  if (text !== undefined) return parseManifest(text, file);
  throw new AppError(EXIT.publishFailed, {
    code: 'RELEASE_MISSING',
    message: `there is no release ${fullName}/${id}, or what is left of it has no manifest`,
    at: file,
    hint: `ls ${layout.releasesOf(fullName)}`,
  });
}

/** What became of a release at its gate: `failed` ones are kept for another try, `none` is what a killed build left. */
export type GateState = 'passed' | 'failed' | 'none';

/** By what is written last: gate.xml of one that passed, and gate.json alone of one that did not. */
export async function readGateState(layout: StoreLayout, fullName: string, id: string): Promise<GateState> {
  const release = layout.release(fullName, id);
  if (await lstatIfThere(release.gateReport)) return 'passed';
  const text = await readRegularText(release.gateRecord);
  if (text === undefined) return 'none';
  try {
    return parseGateRecord(text, release.gateRecord).verdict === 'failed' ? 'failed' : 'none';
  } catch (error) {
    if (error instanceof AppError) return 'none';
    throw error;
  }
}

/**
 * The newest release that fits: a gated one, or one that failed its gate and can be tried again. One that is seen to be
 * damaged, or one of another version of condense, fits nothing: that must not stop a build.
 */
export async function findRelease(
  layout: Layout,
  fullName: string,
  fits: (manifest: ReleaseManifest) => boolean,
  gate: Exclude<GateState, 'none'> = 'passed',
): Promise<ReleaseManifest | undefined> {
  for (const id of await readReleaseIds(layout, fullName)) {
    if ((await readGateState(layout, fullName, id)) !== gate) continue;
    try {
      const manifest = await readManifest(layout, fullName, id);
      if (!fits(manifest)) continue;
      const { problems } = await verifyRelease(layout, fullName, id, { quick: true });
      if (problems.every(({ code }) => gate === 'failed' && code === 'NOT_GATED')) return manifest;
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
    }
  }
  return undefined;
}

/**
 * Half-made releases, and whole ones whose gate never came to its end: nothing refers to them. One that is live stays,
 * whatever it lacks, and where the disk does not answer nothing is removed. Call it with the build lock held.
 * @param options.failed whether those that failed their gate go, too: another one is made
 */
export async function removeAbandoned(
  layout: Layout,
  fullName: string,
  options: { readonly failed?: boolean } = {},
): Promise<void> {
  const dir = layout.releasesOf(fullName);
  if (!(await pathExists(dir))) return;
  const live = (await readCurrentGeneration(layout))?.versions.get(fullName);
  for (const name of await readdir(dir)) {
    if (name === live) continue;
    const gate = name.startsWith('.incoming-') ? 'none' : await readGateState(layout, fullName, name);
    if (gate === 'none' || (gate === 'failed' && options.failed)) await removeTree(path.join(dir, name));
  }
}

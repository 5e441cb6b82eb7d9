// What is wrong with a site that is there: damage, rights, and what killed commands left. Quick: no image is read.
import path from 'node:path';
import type { SiteConfig } from '../config/site-config.ts';
import { auditPermissions } from '../site/audit-permissions.ts';
import type { Finding } from '../site/finding.ts';
import type { Layout } from '../site/layout.ts';
import { AppError, type Problem } from '../system/app-error.ts';
import { describeSystemError } from '../system/system-error.ts';
import { canWriteFile, lstatIfThere, pathExists, readdir } from '../system/files.ts';
import { describeOwner, readClaims } from './lock-claim.ts';
import { readGateState, readManifest } from './find-release.ts';
import { inspectLibraries } from './inspect-libraries.ts';
import { environmentOf } from './release-name.ts';
import { readVerifiedFace } from './verify-face.ts';
import { verifyRelease } from './verify-release.ts';

/**
 * Changes nothing, takes no lock.
 * @returns every damage with its repair, or one finding that says that all is well; nothing where there is no site yet
 */
export async function inspectSite(config: SiteConfig, layout: Layout): Promise<Finding[]> {
  if (!(await pathExists(layout.store))) return [];
  try {
    return await inspect(config, layout);
  } catch (error) {
    // An account that may not look everywhere, or a disk that fails, is told so beside what this machine lacks.
    const known = describeSystemError(error);
    if (!known) throw error;
    return known.problems.map(describeDamage);
  }
}

async function inspect(config: SiteConfig, layout: Layout): Promise<Finding[]> {
  const { current, problems: face } = await readVerifiedFace(layout);
  const live = [...(current?.versions ?? [])];
  const problems = [...face, ...(await inspectJournal(layout))];
  for (const [fullName, id] of live)
    problems.push(...(await verifyRelease(layout, fullName, id, { quick: true, signing: config.signing })).problems);
  const findings = [
    ...withoutRepeats(problems).map(describeDamage),
    ...(await inspectLive(config, layout, live)),
    ...(await inspectRights(config, layout, live)),
    ...(await inspectLocks(layout)),
    ...(await inspectUnfinished(layout, new Map(live))),
  ];
  if (findings.length > 0) return findings;
  const count = `${live.length} live ${live.length === 1 ? 'release' : 'releases'}`;
  return [
    {
      name: 'site',
      status: 'ok',
      found: `${count}, whole as far as sizes, modes and links tell; condense verify reads the bytes`,
    },
  ];
}

/** Releases share a base and a Node: what is wrong with one of these is said once. */
function withoutRepeats(problems: readonly Problem[]): Problem[] {
  const seen = new Set<string>();
  return problems.filter(({ code, at }) => {
    const key = `${code} ${at ?? ''}`;
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}

function describeDamage({ code, message, at, hint }: Problem): Finding {
  return { name: at ?? code, status: 'failure', code, found: message, fix: hint };
}

/** Whether live releases still find on this host what they were built against. */
async function inspectLive(
  config: SiteConfig,
  layout: Layout,
  live: readonly (readonly [fullName: string, id: string])[],
): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const [fullName, id] of live) {
    try {
      const manifest = await readManifest(layout, fullName, id);
      findings.push(...inspectLibraries(manifest, layout.condaPrefix(fullName), config.binds.run));
    } catch (error) {
      // That a manifest is missing or damaged is said already.
      if (!(error instanceof AppError)) throw error;
    }
  }
  return findings;
}

async function inspectRights(
  config: SiteConfig,
  layout: Layout,
  live: readonly (readonly [fullName: string, id: string])[],
): Promise<Finding[]> {
  const releases = live.map(([fullName, id]) => layout.release(fullName, id));
  try {
    return await auditPermissions(config, layout, releases);
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return error.problems.map(describeDamage);
  }
}

async function inspectJournal(layout: Layout): Promise<Problem[]> {
  const at = layout.journal;
  const there = await lstatIfThere(at);
  if (!there) return [];
  if (!there.isFile())
    return [
      { code: 'JOURNAL_REPLACED', message: 'is no regular file: nothing is recorded', at, hint: `mv ${at} ${at}.old` },
    ];
  if (await canWriteFile(at)) return [];
  return [
    {
      code: 'JOURNAL_NOT_WRITABLE',
      message: 'this account cannot add to it',
      at,
      hint: `id; ls -l ${at}; chmod g+w ${at}`,
    },
  ];
}

/** One of a process that is at work is no damage. */
async function inspectLocks(layout: Layout): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const { file, owner, state } of await readClaims(layout.locks)) {
    if (state === 'alive') continue;
    const gone = state === 'dead' ? 'that process is gone' : 'nobody can tell from here whether it is at work';
    findings.push({
      ...{ name: file, status: 'warning', code: 'LOCK_STALE' },
      found: `is held by ${describeOwner(owner)}; ${gone}`,
      fix: `condense unlock ${path.basename(file)}${state === 'dead' ? '' : '   (if it is gone: look there first)'}`,
    });
  }
  return findings;
}

/** Half-made releases, and whole ones without a gate, where no build is at work on them. */
async function inspectUnfinished(layout: Layout, live: ReadonlyMap<string, string>): Promise<Finding[]> {
  const findings: Finding[] = [];
  if (!(await pathExists(layout.releases))) return findings;
  for (const fullName of (await readdir(layout.releases)).sort()) {
    const lock = path.basename(layout.lockFile(fullName));
    if ((await readClaims(layout.locks, lock)).some(({ state }) => state !== 'dead')) continue;
    const dir = layout.releasesOf(fullName);
    if (!(await lstatIfThere(dir))?.isDirectory()) continue;
    for (const name of await readdir(dir)) {
      const release = layout.release(fullName, name);
      if (live.get(fullName) === name || (await readGateState(layout, fullName, name)) !== 'none') continue;
      const found = name.startsWith('.') ? 'is what a killed build left' : 'never came to the end of its gate';
      const fix = `condense build ${environmentOf(fullName)}   (clears it away; so does: rm -r ${release.dir})`;
      findings.push({ name: release.dir, status: 'warning', code: 'RELEASE_UNFINISHED', found, fix });
    }
  }
  return findings;
}

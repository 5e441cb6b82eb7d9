// Whether a release still is what its manifest says: every file, link and mode, the base and the Node that it needs.
import path from 'node:path';
import type { SigningPolicy } from '../config/site-config.ts';
import type { Layout, ReleaseLayout } from '../site/layout.ts';
import type { Report } from '../system/events.ts';
import { AppError, type Problem } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import {
  digestRegularFile,
  lstatIfThere,
  readLinkIfThere,
  readRegularText,
  walkTree,
  type TreeEntry,
} from '../system/files.ts';
import { environmentOf } from './release-name.ts';
import { verifySignature } from './signature.ts';
import { parseManifest, recomputeReleaseId, renderMode, type ReleaseManifest } from './manifest.ts';

export interface VerifyOptions {
  /** Sizes instead of digests: nothing is read but the manifest. */
  readonly quick?: boolean | undefined;
  /** Whose signatures count, and whether there must be one. Default: none is looked at. */
  readonly signing?: SigningPolicy | undefined;
  /** Digests that were taken already, by file: releases share their base and their Node. */
  readonly known?: Map<string, string> | undefined;
  readonly report?: Report | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What verifying came to. Problems have the exit code of publishing when they are thrown. */
export interface VerifiedRelease {
  readonly fullName: string;
  readonly id: string;
  readonly problems: readonly Problem[];
  /** Files whose digests were taken. */
  readonly files: number;
  readonly bytes: number;
}

/** A file with what it must be. */
interface Wanted {
  readonly file: string;
  readonly sha256: string;
  readonly sizeBytes?: number | undefined;
  readonly mode?: string | undefined;
}

/**
 * Looks at one release and changes nothing. Links are never followed: what stands where a file belongs is a difference.
 * @param id as in the directory's name
 * @returns every difference, each with its repair; none for a whole one
 */
export async function verifyRelease(
  layout: Layout,
  fullName: string,
  id: string,
  options: VerifyOptions = {},
): Promise<VerifiedRelease> {
  const release = layout.release(fullName, id);
  let repair = describeRepair(environmentOf(fullName), id);
  const problems: Problem[] = [];
  const complain: Complain = (code, at, message, hint) => {
    problems.push({ code, at, message: `${message} (release ${fullName}/${id})`, hint: hint ?? repair });
  };
  const done = { fullName, id, problems, files: 0, bytes: 0 };
  const manifest = await readOwnManifest(release, fullName, id, complain);
  if (!manifest) return done;
  if (fullName === `${manifest.environment}-${manifest.version}`) repair = describeRepair(manifest.environment, id);
  const unsigned = options.signing && (await verifySignature(release, `${fullName}/${id}`, options.signing));
  if (unsigned) complain(unsigned.code, unsigned.at ?? release.signature, unsigned.message, unsigned.hint);
  const entries = new Map<string, TreeEntry>();
  for await (const entry of walkTree(release.dir)) entries.set(entry.path, entry);
  const wanted = [...listWanted(release, manifest, complain), ...listShared(layout, manifest)];
  checkLinks(await readLinks(release, entries), manifest, release, complain);
  checkStrangers(entries, manifest, release, complain);
  let told = 0;
  const total = options.quick ? 0 : wanted.reduce((sum, { sizeBytes = 0 }) => sum + sizeBytes, 0);
  for (const one of wanted) {
    const shape = await checkShape(one, complain);
    if (!shape || options.quick) continue;
    const taken = options.known?.get(one.file);
    const before = done.bytes;
    const sha256 =
      taken ??
      (await digestRegularFile(one.file, {
        signal: options.signal,
        onBytes: (bytes) => {
          done.bytes = before + bytes;
          // What releases share is in no total, and is not to say again that the rest is done.
          if (told >= total) return;
          told = Math.min(done.bytes, total);
          options.report?.({ type: 'progress', stage: 'verify', done: told, total, unit: 'bytes' });
        },
      }));
    options.known?.set(one.file, sha256);
    done.files++;
    if (sha256 !== one.sha256)
      complain('DIGEST_DIFFERS', one.file, `has sha256 ${sha256}, and the manifest says ${one.sha256}`);
  }
  return done;
}

/**
 * For what is about to be shown to users.
 * @throws AppError with every difference, exit 7
 */
export async function checkRelease(
  layout: Layout,
  fullName: string,
  id: string,
  options: VerifyOptions = {},
): Promise<void> {
  const { problems } = await verifyRelease(layout, fullName, id, options);
  if (problems.length > 0) throw new AppError(EXIT.publishFailed, problems);
}

/** What to do about a damaged release: nothing in it is ever mended in place. */
function describeRepair(environment: string, id: string): string {
  return `condense install --rebuild ${environment}   (until then users can go back: condense rollback; ${id} stays for you to look at)`;
}

type Complain = (code: string, at: string, message: string, hint?: string) => void;

async function readOwnManifest(
  release: ReleaseLayout,
  fullName: string,
  id: string,
  complain: Complain,
): Promise<ReleaseManifest | undefined> {
  const at = await lstatIfThere(release.dir);
  if (!at?.isDirectory()) {
    complain('RELEASE_MISSING', release.dir, at ? 'is not a directory' : 'is missing');
    return undefined;
  }
  const text = await readRegularText(release.manifest);
  if (text === undefined) {
    complain('RELEASE_MISSING', release.manifest, 'is missing, or no regular file');
    return undefined;
  }
  try {
    const manifest = parseManifest(text, release.manifest);
    if (manifest.id !== id || manifest.fullName !== fullName)
      complain('MANIFEST_OTHER', release.manifest, `is the manifest of ${manifest.fullName}/${manifest.id}`);
    const computed = recomputeReleaseId(manifest);
    if (computed !== undefined && computed !== manifest.id)
      complain('MANIFEST_CHANGED', release.manifest, `was changed: its facts give the id ${computed}`);
    return manifest;
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    for (const problem of error.problems) complain(problem.code, release.manifest, problem.message);
    return undefined;
  }
}

/** The files of the release itself. */
function listWanted(release: ReleaseLayout, manifest: ReleaseManifest, complain: Complain): Wanted[] {
  const wanted: Wanted[] = manifest.files.map((file) => ({ ...file, file: path.join(release.dir, file.path) }));
  const image = manifest.files.find((file) => path.join(release.dir, file.path) === release.image);
  if (image?.sha256 !== manifest.image.sha256)
    complain('MANIFEST_CHANGED', release.manifest, 'names two digests of one image');
  if (manifest.gate) {
    wanted.push({ file: release.gateReport, sha256: manifest.gate.sha256 });
    if (manifest.gate.record !== undefined) wanted.push({ file: release.gateRecord, sha256: manifest.gate.record });
  } else if (manifest.manifestVersion > 1) {
    const hint = `condense build ${manifest.environment}   (its gate runs again, and nothing is built where its inputs are the same)`;
    complain('NOT_GATED', release.manifest, 'has no gate: it never passed one', hint);
  }
  return wanted;
}

/** What releases share: the base, and the Node that plans for the launcher. */
function listShared(layout: Layout, { base, node }: ReleaseManifest): Wanted[] {
  return [
    { file: layout.base(base.digest), sha256: base.sha256 },
    ...(node ? [{ file: layout.node(node.version), sha256: node.sha256 }] : []),
  ];
}

/** @returns whether there is a file of that kind and size, whose content can be looked at */
async function checkShape({ file, sizeBytes, mode }: Wanted, complain: Complain): Promise<boolean> {
  const at = await lstatIfThere(file);
  if (!at) {
    complain('FILE_MISSING', file, 'is missing');
    return false;
  }
  if (!at.isFile()) {
    complain(
      'FILE_REPLACED',
      file,
      `is ${at.isSymbolicLink() ? 'a link' : 'no regular file'}, and must be a regular file`,
    );
    return false;
  }
  const found = renderMode(Number(at.mode));
  if (mode !== undefined && found !== mode)
    complain('MODE_DIFFERS', file, `has mode ${found}, and the manifest says ${mode}`, `chmod ${mode} ${file}`);
  if (sizeBytes === undefined || at.size === sizeBytes) return true;
  complain('SIZE_DIFFERS', file, `has ${at.size} bytes, and the manifest says ${sizeBytes}`);
  return false;
}

async function readLinks(
  release: ReleaseLayout,
  entries: ReadonlyMap<string, TreeEntry>,
): Promise<Map<string, string>> {
  const links = new Map<string, string>();
  for (const entry of entries.values())
    if (entry.kind === 'link') links.set(entry.path, (await readLinkIfThere(path.join(release.dir, entry.path))) ?? '');
  return links;
}

function checkLinks(
  links: ReadonlyMap<string, string>,
  manifest: ReleaseManifest,
  release: ReleaseLayout,
  complain: Complain,
): void {
  for (const { path: name, target } of listLinks(manifest, release)) {
    const found = links.get(name);
    if (found !== target)
      complain(
        'LINK_DIFFERS',
        path.join(release.dir, name),
        found === undefined ? `is no link: it must lead to ${target}` : `leads to ${found}, and must lead to ${target}`,
      );
  }
}

/** Version 1 has no list of its links: they were the farm, one for each command. */
function listLinks(manifest: ReleaseManifest, release: ReleaseLayout): { path: string; target: string }[] {
  return (
    manifest.links ??
    manifest.commands.map((name) => ({
      path: path.relative(release.dir, release.command(name)),
      target: '../launcher',
    }))
  );
}

/** What is in the release and in no list. The overrides are the administrators' own (docs/launcher.md). */
function checkStrangers(
  entries: ReadonlyMap<string, TreeEntry>,
  manifest: ReleaseManifest,
  release: ReleaseLayout,
  complain: Complain,
): void {
  const known = new Set([
    ...manifest.files.map((file) => file.path),
    ...listLinks(manifest, release).map((link) => link.path),
    path.relative(release.dir, release.manifest),
    path.relative(release.dir, release.gateReport),
    path.relative(release.dir, release.gateRecord),
    path.relative(release.dir, release.signature),
  ]);
  const overrides = `${path.relative(release.dir, release.overrides)}/`;
  for (const entry of entries.values())
    if (entry.kind !== 'directory' && !known.has(entry.path) && !entry.path.startsWith(overrides)) {
      const at = path.join(release.dir, entry.path);
      complain('FILE_UNKNOWN', at, 'is not in the manifest', `ls -l ${at}; rm ${at}`);
    }
}

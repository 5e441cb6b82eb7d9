// What a CI keeps of a build (`--artifacts`): copies of the manifest, the lock and the gate report.
import path from 'node:path';
import type { ReleaseLayout } from '../site/layout.ts';
import { AppError } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import { makeDir, readText, writeFileAtomic } from '../system/files.ts';

/** @param name a directory of its own below `dir` */
export async function writeArtifacts(dir: string, name: string, release: ReleaseLayout): Promise<void> {
  const files = [release.manifest, release.lock, release.gateReport];
  await copyInto(
    path.join(path.resolve(dir), name),
    files.map((from) => ({ from, as: path.basename(from) })),
  );
}

/** Of a release that did not pass: its report, which the error names; the release itself is gone. */
export async function writeFailedGate(dir: string, name: string, error: unknown): Promise<void> {
  if (!(error instanceof AppError) || error.exit !== EXIT.gateFailed) return;
  const [report] = error.problems.flatMap(({ at }) => (at?.endsWith('.xml') ? [at] : []));
  if (report === undefined) return;
  await copyInto(path.join(path.resolve(dir), name), [{ from: report, as: 'gate.xml' }]);
}

async function copyInto(dir: string, files: readonly { readonly from: string; readonly as: string }[]): Promise<void> {
  await makeDir(dir);
  for (const { from, as } of files) await writeFileAtomic(path.join(dir, as), await readText(from));
}

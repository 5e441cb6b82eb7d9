// The files of a release that publishing looks at, without a program or an image in it: a manifest, and a gate report that holds.
import { mkdir, writeFile } from 'node:fs/promises';
import { renderGateRecord } from '../../../src/release/gate-report.ts';
import { renderManifest } from '../../../src/release/manifest.ts';
import type { ReleaseLayout } from '../../../src/site/layout.ts';
import { digestText } from '../../../src/system/files.ts';
import { makeManifest } from '../../unit/release/make-manifest.ts';

/** @param fullName of an environment without `-` in its name */
export async function writeGatedFiles(release: ReleaseLayout, fullName: string, id: string): Promise<void> {
  const [environment = '', version = ''] = fullName.split('-');
  const manifest = { ...makeManifest({ fullName, environment, version }), id };
  const report = '<testsuite/>\n';
  const record = renderGateRecord({
    ...{ reportVersion: 1, release: `${fullName}/${id}`, imageSha256: manifest.image.sha256, time: manifest.createdAt },
    ...{ seconds: 1, results: [{ name: 'the image mounts', status: 'passed', seconds: 1 }], verdict: 'passed' },
  });
  await mkdir(release.modules, { recursive: true });
  for (const file of [release.image, release.launcher, release.tclModule]) await writeFile(file, id);
  const gate = { sha256: digestText(report), record: digestText(record), checks: [] };
  await writeFile(release.manifest, renderManifest({ ...manifest, gate }));
  await writeFile(release.gateRecord, record);
  await writeFile(release.gateReport, report);
}

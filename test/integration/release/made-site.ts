// A site whose releases are whole and gated, as a build writes them, but for what is in the image: for tests and
// measurements of what happens to releases, which start no container.
import { chmod, mkdir, mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { writeRelease } from '../../../src/build/release.ts';
import { readSiteConfig } from '../../../src/config/read-config.ts';
import type { SiteConfig } from '../../../src/config/site-config.ts';
import { renderGateRecord } from '../../../src/release/gate-report.ts';
import { renderManifest } from '../../../src/release/manifest.ts';
import { Layout } from '../../../src/site/layout.ts';
import { readModuleTemplates } from '../../../src/site/product.ts';
import { digestFile, digestText, lstat, writeFileAtomic } from '../../../src/system/files.ts';

const root = path.resolve(import.meta.dirname, '../../..');
const DAY_MS = 24 * 60 * 60 * 1000;

export interface MadeRelease {
  readonly fullName: string;
  readonly id: string;
  /** `<full name>/<id>` */
  readonly name: string;
}

export interface ReleaseWish {
  readonly fullName?: string;
  readonly builtDaysAgo?: number;
  /** A base of its own, by a letter of a to f. */
  readonly base?: string;
  readonly packages?: number;
  /** The version of Python that it has; none else. */
  readonly python?: string;
  /** On the file system of the store; else a few bytes. */
  readonly image?: string;
}

export class MadeSite {
  readonly dir: string;
  readonly config: SiteConfig;
  readonly layout: Layout;

  /** @param more of install_config.yaml; environments a (1, stable) and b */
  static async make(more = '', dir?: string): Promise<MadeSite> {
    const at = dir ?? (await mkdtemp(path.join(os.tmpdir(), 'condense-made-')));
    await chmod(at, 0o755); // as other accounts find a site
    const site = 'site: test\nprefix: ./site\nadmin_dir: ./admin\nstaging_dir: ./staging\n';
    const environments = `environments:\n  a: { version: '1', stable: '1' }\n  b: { version: '1', stable: '1' }\n`;
    await writeFile(path.join(at, 'install_config.yaml'), `${site}${more}${environments}`);
    return new MadeSite(at, await readSiteConfig(path.join(at, 'install_config.yaml')));
  }

  private constructor(dir: string, config: SiteConfig) {
    this.dir = dir;
    this.config = config;
    this.layout = new Layout(config, root);
  }

  async addRelease({
    fullName = 'a-1',
    builtDaysAgo = 0,
    base = 'a',
    packages = 1,
    python,
    image,
  }: ReleaseWish = {}): Promise<MadeRelease> {
    const { layout } = this;
    const bytes = image ?? path.join(this.dir, 'image');
    const createdAt = new Date(Date.now() - builtDaysAgo * DAY_MS).toISOString();
    if (image === undefined) await writeFile(bytes, `image of ${fullName}, ${createdAt}`);
    const digest = base.repeat(16);
    const node = layout.node('26.0.0');
    for (const file of [layout.base(digest), node]) {
      await mkdir(path.dirname(file), { recursive: true });
      await writeFile(file, path.basename(file));
    }
    const input = { file: path.join(this.dir, 'input.yml'), sha256: digestText(''), text: '' };
    const manifest = await writeRelease(layout, {
      facts: {
        manifestVersion: 2,
        ...{ fullName, environment: fullName.split('-')[0] ?? '', version: '1', createdAt },
        createdBy: { user: 'u', host: 'h' },
        ...{ inputsDigest: digestText(createdAt), inputs: {}, tools: {}, spec: input, config: input },
        base: { digest, sha256: await digestFile(layout.base(digest)) },
        node: { version: '26.0.0', sha256: await digestFile(node) },
        image: { sha256: await digestFile(bytes), sizeBytes: (await lstat(bytes)).size, inodes: 1 },
        activation: { changes: [], warnings: [] },
        commands: ['hello'],
        packages: [
          ...Array.from({ length: packages }, (_, index) => ({ name: `package-${index}`, version: '1' })),
          ...(python === undefined ? [] : [{ name: 'python', version: python }]),
        ].map((one) => ({ ...one, build: '0', sha256: digestText(one.name) })),
        ...{ notes: [], stageSeconds: {} },
      },
      lock: {
        ...{ lockVersion: 1, platform: 'linux-64', inputsDigest: digestText('') },
        ...{ channels: [], virtualPackages: {}, packages: [] },
      },
      image: bytes,
      site: 'test',
      module: { variables: {}, prerequisites: [] },
      ...{ plannerCode: '', access: {} },
      moduleTemplates: await readModuleTemplates(layout),
      launcher: {
        ...{ condaPrefix: `/opt/conda/${fullName}`, marker: `/opt/conda/${fullName}/.condense` },
        ...{ base: layout.base(digest), runtime: '/bin/false', node, binds: [], farmRoots: [], outsideCommands: [] },
      },
    });
    await rm(bytes, { force: true });
    const release = layout.release(fullName, manifest.id);
    const report = '<testsuite/>\n';
    const record = renderGateRecord({
      ...{
        reportVersion: 1,
        release: `${fullName}/${manifest.id}`,
        imageSha256: manifest.image.sha256,
        time: createdAt,
      },
      ...{ seconds: 1, results: [{ name: 'the image mounts', status: 'passed', seconds: 1 }], verdict: 'passed' },
    });
    const gated = { ...manifest, gate: { sha256: digestText(report), record: digestText(record), checks: [] } };
    await writeFileAtomic(release.manifest, renderManifest(gated), 0o444);
    await writeFileAtomic(release.gateRecord, record, 0o444);
    await writeFileAtomic(release.gateReport, report, 0o444);
    return { fullName, id: manifest.id, name: `${fullName}/${manifest.id}` };
  }

  /** As if that generation had been made so long ago. */
  async ageGeneration(number: number, daysAgo: number): Promise<void> {
    const at = (Date.now() - daysAgo * DAY_MS) / 1000;
    await utimes(this.layout.generation(number).dir, at, at);
  }

  async remove(): Promise<void> {
    await rm(this.dir, { recursive: true, force: true });
  }
}

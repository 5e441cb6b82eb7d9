// Every path of the product. No other file knows where something is on disk (docs/how-it-works.md shows the tree).
import path from 'node:path';
import { STORE_DIR } from '../config/config-rules.ts';
import type { EnvironmentOptions, SiteConfig } from '../config/site-config.ts';

/** The store of a site, for which its prefix is all that has to be known. */
export class StoreLayout {
  readonly prefix: string;

  constructor(prefix: string) {
    this.prefix = prefix;
  }

  /** @param farm without links: `<prefix>/apps/condense/releases/<full name>/<id>/bin`; undefined where it is none */
  static ofFarm(farm: string): StoreLayout | undefined {
    const store = path.resolve(farm, '../../../..');
    const layout = new StoreLayout(store.slice(0, -STORE_DIR.length - 1));
    const [fullName = '', id = ''] = path.relative(layout.releases, farm).split('/');
    return layout.release(fullName, id).farm === farm && layout.store === store ? layout : undefined;
  }

  /** `<prefix>/apps/condense` */
  get store(): string {
    return path.join(this.prefix, STORE_DIR);
  }
  /** `<store>/releases` */
  get releases(): string {
    return path.join(this.store, 'releases');
  }
  /** `<store>/releases/analysis3-26.11` */
  releasesOf(fullName: string): string {
    return path.join(this.releases, fullName);
  }
  /** `<store>/releases/analysis3-26.11/20261121T033306Z-1a2b3c4d` */
  release(fullName: string, id: string): ReleaseLayout {
    return new ReleaseLayout(path.join(this.releasesOf(fullName), id), fullName);
  }
  /** `<store>/bases` */
  get bases(): string {
    return path.join(this.store, 'bases');
  }
  /** `<store>/bases/<digest>.sif` */
  base(digest: string): string {
    return path.join(this.bases, `${digest}.sif`);
  }
  get runtime(): string {
    return path.join(this.store, 'runtime');
  }
  /** `<store>/runtime/node-26.10.0/bin/node` */
  node(version: string): string {
    return path.join(this.runtime, `node-${version}`, 'bin/node');
  }
  /** `<store>/generations` */
  get generations(): string {
    return path.join(this.store, 'generations');
  }
  /** `<store>/generations/42` */
  generation(number: number): GenerationLayout {
    return new GenerationLayout(path.join(this.generations, String(number)));
  }
  /** `<store>/current -> generations/42`: the one commit point. */
  get current(): string {
    return path.join(this.store, 'current');
  }
}

export class Layout extends StoreLayout {
  readonly #config: SiteConfig;
  readonly #product: string;

  /** @param product the directory of condense itself: its templates and the compiled launcher */
  constructor(config: SiteConfig, product: string) {
    super(config.prefix);
    this.#config = config;
    this.#product = product;
  }

  // --- the public face: links into <store>/current
  /** `<prefix>/apps/conda_envs` */
  get publicEnvs(): string {
    return path.join(this.#config.prefix, this.#config.envsDir);
  }
  /** `<prefix>/apps/conda_scripts` */
  get publicScripts(): string {
    return path.join(this.#config.prefix, this.#config.scriptsDir);
  }
  /** `<prefix>/apps/conda_jupyter`: an entry for JUPYTER_PATH */
  get publicJupyter(): string {
    return path.join(this.#config.prefix, this.#config.jupyterDir);
  }
  /** `<prefix>/apps/conda/envs`: an entry for CONDA_ENVS_PATH */
  get publicActivate(): string {
    return path.join(this.#config.prefix, this.#config.activateDir);
  }
  /** `<prefix>/modules`: what users `module use` */
  get publicModuleRoot(): string {
    return path.join(this.#config.prefix, this.#config.modulesDir);
  }
  /** `<prefix>/modules/conda` */
  get publicModules(): string {
    return path.join(this.publicModuleRoot, this.#config.moduleFamily);
  }
  /** The public directories and what each links to, relative: `apps/conda_envs -> condense/current/envs`. */
  get publicLinks(): readonly { readonly path: string; readonly target: string }[] {
    const current = new GenerationLayout(this.current);
    return [
      { path: this.publicEnvs, to: current.envs },
      { path: this.publicScripts, to: current.scripts },
      { path: this.publicModules, to: current.modules(this.#config.moduleFamily) },
      { path: this.publicJupyter, to: current.jupyter },
      { path: this.publicActivate, to: current.activate },
    ].map((link) => ({ path: link.path, target: path.relative(path.dirname(link.path), link.to) }));
  }
  /** `<prefix>/apps/conda_scripts/analysis3-26.11.d/bin` */
  publicFarm(name: string): string {
    return path.join(this.publicScripts, `${name}.d`, 'bin');
  }

  /** `<prefix>/apps/conda_scripts/analysis3.d/launcher` */
  publicLauncher(name: string): string {
    return path.join(this.publicScripts, `${name}.d`, 'launcher');
  }
  get moduleFamily(): string {
    return this.#config.moduleFamily;
  }

  // --- inside the container
  /** `/opt/conda/analysis3-26.11` */
  condaPrefix(fullName: string): string {
    return path.posix.join('/opt/conda', fullName);
  }
  /** `/opt/conda/analysis3-26.11/.condense`: seen there, our image is mounted. */
  marker(fullName: string): string {
    return path.posix.join(this.condaPrefix(fullName), '.condense');
  }

  /** `/opt/conda/.hook`: where a hook sees `staging(...).hook`. */
  get hookScratch(): string {
    return path.posix.join('/opt/conda', '.hook');
  }
  /** `/opt/conda/.pip`: where a build's container sees `staging(...).pip`; no environment can have that name. */
  get pipScratch(): string {
    return path.posix.join('/opt/conda', '.pip');
  }

  // --- the admin directory
  get locks(): string {
    return path.join(this.#config.adminDir, 'locks');
  }
  /** `<admin>/locks/analysis3-26.11.lock` */
  lockFile(name: string): string {
    return path.join(this.locks, `${name}.lock`);
  }
  get logs(): string {
    return path.join(this.#config.adminDir, 'logs');
  }
  /** `<admin>/jobs/<id>`: of one job, for those who build only: a script can hold the login of a proxy. */
  job(id: string): JobLayout {
    return new JobLayout(path.join(this.jobs, id));
  }
  get jobs(): string {
    return path.join(this.#config.adminDir, 'jobs');
  }
  /** `<admin>/logs/analysis3-26.11-hook-stage.log`: what the newest build's hook printed. */
  hookLog(fullName: string, stage: string): string {
    return path.join(this.logs, `${fullName}-hook-${stage}.log`);
  }
  get journal(): string {
    return path.join(this.#config.adminDir, 'journal.ndjson');
  }
  get cache(): string {
    return path.join(this.#config.adminDir, 'cache');
  }
  get packageCache(): string {
    return path.join(this.#config.adminDir, 'cache/packages');
  }
  /** Packages as they were extracted, where the site keeps such. */
  get extractedCache(): string {
    return path.join(this.#config.adminDir, 'cache/extracted');
  }
  get repodataCache(): string {
    return path.join(this.#config.adminDir, 'cache/repodata');
  }
  /** Wheels that were built here from sdists, repositories and directories. */
  get wheelCache(): string {
    return path.join(this.#config.adminDir, 'cache/wheels');
  }

  /** What is written to: the directories, those that hold the public links, and the journal. */
  get writtenThrough(): readonly string[] {
    return [
      ...[this.store, this.releases, this.bases, this.runtime, this.generations],
      ...this.publicLinks.map((link) => path.dirname(link.path)),
      ...[this.#config.adminDir, this.locks, this.logs, this.jobs, this.journal],
      ...[this.packageCache, this.extractedCache, this.repodataCache, this.wheelCache],
    ];
  }

  // --- beside the specs, in the site's repository
  /** `environments/analysis3/environment.yml` to `environments/analysis3/environment.lock.yml`; of a matrix `climate.py311-climate.lock.yml` */
  environmentLock({
    specFile,
    name,
    isOfMatrix,
  }: Pick<EnvironmentOptions, 'specFile' | 'name' | 'isOfMatrix'>): string {
    return `${specFile.replace(/\.ya?ml$/, '')}${isOfMatrix ? `.${name}` : ''}.lock.yml`;
  }

  /** `environments/analysis3/tests`: what the gate runs besides. */
  gateTests(specFile: string): string {
    return path.join(path.dirname(specFile), 'tests');
  }

  // --- scratch
  /** `<staging>/analysis3-26.11`: the prefix while it is built, and what goes with it. */
  staging(fullName: string): StagingLayout {
    return new StagingLayout(path.join(this.#config.stagingDir, fullName), fullName);
  }

  // --- condense itself
  get baseDefinitionTemplate(): string {
    return path.join(this.#product, 'container/base.def.hbs');
  }
  /** `modules-templates/environment.tcl.hbs` */
  moduleTemplate(name: string): string {
    return path.join(this.#product, 'modules-templates', name);
  }
  /** The planner, compiled by `npm run build`. */
  get launcherPlanner(): string {
    return path.join(this.#product, 'dist/launcher-plan.cjs');
  }
}

/** One immutable release. */
export class ReleaseLayout {
  readonly dir: string;
  readonly #fullName: string;
  constructor(dir: string, fullName: string) {
    this.dir = dir;
    this.#fullName = fullName;
  }
  get image(): string {
    return path.join(this.dir, 'env.sqsh');
  }
  get manifest(): string {
    return path.join(this.dir, 'manifest.json');
  }
  /** The manifest's signature, where releases are signed. */
  get signature(): string {
    return `${this.manifest}.sig`;
  }
  get lock(): string {
    return path.join(this.dir, 'environment.lock.yml');
  }
  get gateReport(): string {
    return path.join(this.dir, 'gate.xml');
  }
  /** The same for programs: what `condense publish` reads. */
  get gateRecord(): string {
    return path.join(this.dir, 'gate.json');
  }
  get launcher(): string {
    return path.join(this.dir, 'launcher');
  }
  /** What enters a session for the launcher (launcher/enter-program.ts). */
  get enter(): string {
    return path.join(this.dir, 'enter');
  }
  /** The farm. */
  get farm(): string {
    return path.join(this.dir, 'bin');
  }
  /** `bin/python3 -> ../launcher` */
  command(name: string): string {
    return path.join(this.farm, name);
  }
  /** `bin/activate`, `bin/activate.csh`, `bin/activate.fish`: files to source. */
  activateFile(shell: 'sh' | 'csh' | 'fish'): string {
    return this.command(shell === 'sh' ? 'activate' : `activate.${shell}`);
  }
  get overrides(): string {
    return path.join(this.dir, 'overrides');
  }
  get modules(): string {
    return path.join(this.dir, 'modules');
  }
  /** `modules/analysis3-26.11`: the Tcl modulefile. */
  get tclModule(): string {
    return path.join(this.modules, this.#fullName);
  }
  /** `modules/analysis3-26.11.lua`: the same for Lmod, which takes it before the other. */
  get luaModule(): string {
    return path.join(this.modules, `${this.#fullName}.lua`);
  }
  /** What a conda of the user's own takes for the environment. */
  get condaPrefix(): string {
    return path.join(this.dir, 'prefix');
  }
  get kernels(): string {
    return path.join(this.dir, 'kernels');
  }
  /** `kernels/analysis3-26.11/kernel.json` */
  get kernelSpec(): string {
    return path.join(this.kernels, this.#fullName, 'kernel.json');
  }
}

/** The whole public face of a site, as links. */
export class GenerationLayout {
  readonly dir: string;
  constructor(dir: string) {
    this.dir = dir;
  }
  get envs(): string {
    return path.join(this.dir, 'envs');
  }
  get scripts(): string {
    return path.join(this.dir, 'scripts');
  }
  /** `modules/conda` */
  modules(family: string): string {
    return path.join(this.dir, 'modules', family);
  }
  /** `generation.json`: who made it, when and why. */
  get record(): string {
    return path.join(this.dir, 'generation.json');
  }
  get jupyter(): string {
    return path.join(this.dir, 'jupyter');
  }
  /** `jupyter/kernels`: where Jupyter looks in an entry of JUPYTER_PATH */
  get kernels(): string {
    return path.join(this.jupyter, 'kernels');
  }
  /** `jupyter/kernels/analysis3-26.11 -> the kernel of the release` */
  kernel(fullName: string): string {
    return path.join(this.kernels, fullName);
  }
  /** `activate/analysis3-26.11 -> the prefix of the release` */
  get activate(): string {
    return path.join(this.dir, 'activate');
  }
  /** `restores -> ../41`: in a generation made by a rollback, the one whose content it has. */
  get restores(): string {
    return path.join(this.dir, 'restores');
  }
}

/** What belongs to a job of a batch system; its tasks are numbered from 1. */
export class JobLayout {
  readonly dir: string;
  constructor(dir: string) {
    this.dir = dir;
  }
  get script(): string {
    return path.join(this.dir, 'script');
  }
  /** What the batch system says itself, such as why it ended the task; `index` can be its own word for the number. */
  systemLog(index: number | string): string {
    return path.join(this.dir, `${index}.log`);
  }
  taskFile(index: number | string, kind: 'out' | 'err' | 'status'): string {
    return path.join(this.dir, `${index}.${kind}`);
  }
}

/** Scratch of one build; nobody's PATH names it. */
export class StagingLayout {
  readonly dir: string;
  readonly #fullName: string;
  constructor(dir: string, fullName: string) {
    this.dir = dir;
    this.#fullName = fullName;
  }
  /** The root of the image to be: `<staging>/root`. */
  get root(): string {
    return path.join(this.dir, 'root');
  }
  /** `<staging>/root/opt/conda/analysis3-26.11` */
  get prefix(): string {
    return path.join(this.root, 'opt/conda', this.#fullName);
  }
  get image(): string {
    return path.join(this.dir, 'env.sqsh');
  }
  /** The bytes of unpacked packages, where no tree is made of them. */
  get spool(): string {
    return path.join(this.dir, 'spool');
  }
  /** What a hook of the site needs while it runs: itself, a home, room for temporary files. */
  get hook(): string {
    return path.join(this.dir, 'hook');
  }
  /** What the gate's checks write to. */
  get gate(): string {
    return path.join(this.dir, 'gate');
  }
  /** What pip needs while it runs: its home, requirements, wheels. */
  get pip(): string {
    return path.join(this.dir, 'pip');
  }
}

/** A mirror of channels: a directory of static files, anywhere. */
export class MirrorLayout {
  readonly dir: string;
  constructor(dir: string) {
    this.dir = dir;
  }
  /** What condense put here: tells its files from others. */
  get state(): string {
    return path.join(this.dir, 'mirror.json');
  }
  /** The page for people. */
  get page(): string {
    return path.join(this.dir, 'index.html');
  }
  get lockFile(): string {
    return path.join(this.dir, '.condense.lock');
  }
  /** A file of the mirror by its path in it, with `/`: `conda/host/channel/noarch/repodata.json`. */
  file(relative: string): string {
    return path.join(this.dir, relative);
  }
}

/** A report on the catalogue: a directory of static pages, anywhere. */
export class ReportLayout {
  readonly dir: string;
  constructor(dir: string) {
    this.dir = dir;
  }
  /** What condense put here: tells its files from others. */
  get state(): string {
    return path.join(this.dir, 'condense-report.json');
  }
  get lockFile(): string {
    return path.join(this.dir, '.condense.lock');
  }
  /** Where pages are before they are in place. */
  get aside(): string {
    return path.join(this.dir, '.condense-new');
  }
  /** Whether a name in the directory is of a run that goes on, or was killed. */
  isScratch(name: string): boolean {
    return name.startsWith('.condense');
  }
  /** A page by its path in the report, with `/`: `releases/analysis3-26.11/<id>.html`. */
  file(relative: string): string {
    return path.join(this.dir, relative);
  }
}

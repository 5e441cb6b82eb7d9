// `condense adopt`: makes a release of an environment that is there already: the same packages, installed and gated anew.
import path from 'node:path';
import { lockAdopted, readAdoptable, renderAdoptedSpec, type Adoptable } from '../build/adopt.ts';
import { planBuild, planEnvironment } from '../build/build-plan.ts';
import { buildRelease } from '../build/pipeline.ts';
import { readEnvironmentSpec } from '../config/read-config.ts';
import { fullName } from '../config/site-config.ts';
import { readPipSection } from '../pip/pip-section.ts';
import { withLock } from '../release/site-lock.ts';
import { readTestsDigest } from '../gate/user-tests.ts';
import { describePlatform } from '../site/platform.ts';
import { AppError } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import { makeDir, pathExists, writeFileAtomic } from '../system/files.ts';
import { describeFullDisk } from '../system/system-error.ts';
import { openBuild, type Session } from './session.ts';

export interface AdoptOptions {
  readonly dryRun?: boolean | undefined;
  readonly offline?: boolean | undefined;
  /** Goes on without what cannot be had again. */
  readonly leave?: boolean | undefined;
}

/**
 * @param name of the environment in the configuration; its version says which release this becomes
 * @param source a prefix, an image, or the top of a tree
 * @throws AppError ADOPT_INCOMPLETE (exit 5): what would not come along, unless it may be left; those of reading and building
 */
export async function runAdopt(session: Session, name: string, source: string, options: AdoptOptions): Promise<void> {
  const { config, layout, output, signal } = session;
  const environment = planEnvironment(config, name);
  const full = fullName(environment);
  const context = await openBuild(session, options.offline);
  const scratch = layout.staging(`${full}.adopted`).dir;
  const adoptable = await readAdoptable(path.resolve(source), full, scratch, signal);
  const left = describeLeft(adoptable);
  if (left.length > 0 && !options.leave) {
    throw new AppError(EXIT.buildFailed, {
      code: 'ADOPT_INCOMPLETE',
      message: `has what no package brings, so it would not be in the release:\n${left.join('\n')}`,
      at: adoptable.source,
      hint: `leave it out: condense adopt --leave ${name} ${source}`,
    });
  }
  for (const text of left) output.report({ type: 'warning', text: `left out: ${text}` });
  const missing = adoptable.outsideCommands.filter((command) => !environment.outsideCommands.includes(command));
  if (missing.length > 0)
    output.report({
      type: 'note',
      text: `its farm also has ${missing.join(', ')}, which are none of the environment's: see outside_commands`,
    });
  const isNew = !(await pathExists(environment.specFile));
  if (options.dryRun) {
    const { packages } = adoptable.records;
    output.result(
      { source: adoptable.source, kind: adoptable.kind, packages: packages.length, pip: adoptable.pip.lines, left },
      [
        `would build ${full} of ${packages.length} packages and ${adoptable.pip.lines.length} distributions of ${adoptable.source}`,
        ...(isNew ? [`write    ${environment.specFile}`] : []),
      ],
    );
    return;
  }
  if (isNew) {
    await makeDir(path.dirname(environment.specFile));
    await writeFileAtomic(environment.specFile, renderAdoptedSpec(name, adoptable));
    output.report({ type: 'note', text: `${environment.specFile} is written: it asks for what was found` });
  }
  const spec = await readEnvironmentSpec(environment.specFile);
  // What is there counts, whatever the file would ask for today.
  const pip = adoptable.pip.lines.map((text) => ({ text, at: adoptable.source }));
  await readPipSection(pip, spec.file);
  const tests = await readTestsDigest(layout.gateTests(spec.file));
  const plan = planBuild(config, layout, environment, { ...spec, pip }, describePlatform(process.arch), tests);
  const lock = await lockAdopted(context, plan, adoptable);
  const adopted = { from: adoptable.source, kind: adoptable.kind, left };
  const { manifest, built } = await withLock(layout.lockFile(full), `adopting ${full}`, () =>
    buildRelease(context, plan, { lock, adopted }),
  ).catch((error: unknown) => {
    throw describeFullDisk(error, EXIT.buildFailed);
  });
  output.result({ environment: full, release: manifest.id, built, left }, [
    `${full} release ${manifest.id} has the packages of ${adoptable.source} and passed the gate`,
    `publish it with: condense publish ${full}/${manifest.id}`,
    `build it again from just these: cp ${layout.release(full, manifest.id).lock} ${layout.environmentLock(environment)}`,
  ]);
}

/** Not all of ten thousand. */
const MOST = 20;

function describeLeft({ changes, pip }: Adoptable): string[] {
  const all = [
    ...changes.changed.map((file) => `changed by hand: ${file}`),
    ...changes.unknown.map((file) => `of no package: ${file}`),
    ...pip.lost.map((what) => `pip: ${what}`),
  ];
  return all.length > MOST ? [...all.slice(0, MOST), `and ${all.length - MOST} more`] : all;
}

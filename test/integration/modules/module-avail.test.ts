// What users read in `module avail` of a published site, as each module system prints it.
import { readlink } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeEntry } from '../../../src/release/journal.ts';
import { publishFace } from '../../../src/release/publish.ts';
import { MODULE_SYSTEMS, runModuleSession } from '../../modules/module-shells.ts';
import { makeFace } from '../../unit/release/make-face.ts';
import { MadeSite } from '../release/made-site.ts';

const NAMES = ['tools-1', 'analysis3-27.02', 'py3.9-ml-26.11', 'analysis3-26.8', 'py3.12-ml-26.11', 'analysis3-26.11'];
const ALIASES = {
  ...{ default: 'analysis3-26.11', analysis3: 'analysis3-26.11', 'analysis3-unstable': 'analysis3-27.02' },
  ...{ tools: 'tools-1', 'py3.9-ml': 'py3.9-ml-26.11', 'py3.12-ml': 'py3.12-ml-26.11' },
};
const ids: Record<string, string> = {};
let site: MadeSite;
beforeAll(async () => {
  site = await MadeSite.make();
  for (const fullName of NAMES) ids[fullName] = (await site.addRelease({ fullName })).id;
  const face = makeFace(ids, ALIASES);
  await publishFace(site.layout, face, describeEntry('publish', 'analysis3-26.11'));
});
afterAll(() => site.remove());

describe.each(MODULE_SYSTEMS)('module avail of %s', (system) => {
  const root = (): string => site.layout.publicModuleRoot;
  const ask = async (...steps: string[]): Promise<string> =>
    (await runModuleSession(system, 'bash', root(), steps)).stderr;
  /** The entries below the site's own heading. */
  const listed = (said: string): string[] => {
    const lines = said.split('\n');
    const heading = lines.findIndex((line) => line.replace(/^-+ (.*) -+$/, '$1').replace(/:$/, '') === root());
    expect(heading, said).not.toBe(-1);
    const end = lines.findIndex((line, at) => at > heading && line.trim() === '');
    // Lmod puts names below each other, with their marks in a column.
    const entries = lines.slice(heading + 1, end === -1 ? undefined : end).map((line) => line.replace(/ +\(/, ' ('));
    return entries.flatMap((line) => line.trim().split(/ {2,}/));
  };

  it('has every environment of the site below its directory, old versions first, each alias and the default beside its version', async () => {
    const brief = listed(await ask('module -t avail conda'));
    const long = listed(await ask('module avail conda'));

    if (system === 'Lmod') {
      expect(brief).toEqual([
        ...['conda/analysis3-26.8', 'conda/analysis3(@conda/analysis3-26.11)', 'conda/analysis3-26.11'],
        ...['conda/analysis3-unstable(@conda/analysis3-27.02)', 'conda/analysis3-27.02'],
        ...['conda/py3.9-ml(@conda/py3.9-ml-26.11)', 'conda/py3.9-ml-26.11'],
        ...['conda/py3.12-ml(@conda/py3.12-ml-26.11)', 'conda/py3.12-ml-26.11'],
        ...['conda/tools(@conda/tools-1)', 'conda/tools-1'],
      ]);
      expect(long).toEqual([
        ...['conda/analysis3-26.8', 'conda/analysis3-26.11 (D:analysis3)'],
        ...['conda/analysis3-27.02 (analysis3-unstable)', 'conda/py3.9-ml-26.11 (py3.9-ml)'],
        ...['conda/py3.12-ml-26.11 (py3.12-ml)', 'conda/tools-1 (tools)'],
      ]);
    } else {
      const entries = [
        ...['conda/analysis3-26.8', 'conda/analysis3-26.11(analysis3:default)'],
        ...['conda/analysis3-27.02(analysis3-unstable)', 'conda/py3.9-ml-26.11(py3.9-ml)'],
        ...['conda/py3.12-ml-26.11(py3.12-ml)', 'conda/tools-1(tools)'],
      ];
      expect(brief).toEqual(entries);
      // In columns, read downwards.
      expect(long.toSorted()).toEqual(entries.toSorted());
    }
  });

  it('finds one by the beginning of its name, and shows what is loaded', async () => {
    expect(listed(await ask('module -t avail conda/py3.9')).at(-1)).toMatch(/^conda\/py3\.9-ml-26\.11/);
    const said = await ask('module load conda/analysis3-unstable', 'module avail conda', 'module list');

    // Environment Modules 4 shows it in module list alone.
    const mark = system === 'Lmod' ? ' (L,' : system === 'Environment Modules 5' ? '<L>' : '(analysis3-unstable)';
    expect(listed(said).join('\n')).toContain(mark);
    expect(said).toMatch(/1\) conda\/analysis3-27\.02/);
  });

  it('loads by the alias what it means then, and unloads what was loaded, though the site publishes in between', async () => {
    const current = await readlink(site.layout.current);
    const aliases = { ...ALIASES, analysis3: 'analysis3-27.02', default: 'analysis3-27.02' };
    await publishFace(site.layout, makeFace(ids, aliases), describeEntry('promote', 'analysis3-27.02'));
    const next = await readlink(site.layout.current);
    const show = (generation: string): string => `ln -sfn ${generation} ${site.layout.current}`;

    const steps = ['module load conda/analysis3', show(next), 'module unload conda', 'module load conda/analysis3'];
    const session = await runModuleSession(system, 'bash', root(), [show(current), ...steps, 'module unload conda']);
    const [before, , first, , unloaded, second, after] = session.environments;

    expect(first?.['CONDENSE_RELEASE'], session.stderr).toBe(`analysis3-26.11/${ids['analysis3-26.11'] ?? ''}`);
    expect(unloaded).toEqual(before);
    expect(second?.['CONDENSE_RELEASE']).toBe(`analysis3-27.02/${ids['analysis3-27.02'] ?? ''}`);
    expect(after).toEqual(before);
    await publishFace(site.layout, makeFace(ids, ALIASES), describeEntry('promote', 'analysis3-26.11'));
  });

  it('gives the default where only the family is named', async () => {
    const { stdout } = await runModuleSession(system, 'bash', root(), ['module load conda', 'echo $CONDENSE_RELEASE']);

    expect(stdout).toMatch(/^analysis3-26\.11\//);
  });
});

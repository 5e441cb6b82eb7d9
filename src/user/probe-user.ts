// Looking through what is the user's own: start-up files, .condarc, variables, ~/.local and venvs.
import path from 'node:path';
import { readManifest } from '../release/find-release.ts';
import { readCurrentGeneration } from '../release/site-state.ts';
import type { Finding } from '../site/finding.ts';
import { StoreLayout } from '../site/layout.ts';
import { readForeignPath } from '../system/foreign-files.ts';
import { readBrokenVenvs } from './broken-venvs.ts';
import { planCondarc, readCondarc } from './condarc.ts';
import type { HomeEdit } from './home-edit.ts';
import { parseStartFile, type StartFinding } from './parse-start-file.ts';
import { planStartText } from './plan-start-text.ts';
import { readShadows, type PublishedPackages } from './python-shadows.ts';
import { readStartFiles } from './start-files.ts';
import {
  describeCondarc,
  describeShadow,
  describeStartFinding,
  describeVariables,
  describeVenv,
} from './user-findings.ts';

export interface UserProbe {
  readonly home: string;
  readonly env: NodeJS.ProcessEnv;
  /** Where venvs are looked for besides the home directory. */
  readonly directories: readonly string[];
  /** The prefix of a site; undefined: that of the module that is loaded, if one is. */
  readonly sitePrefix: string | undefined;
  readonly signal: AbortSignal;
}

export interface UserState {
  readonly findings: readonly Finding[];
  /** What can be mended without a person, and does not change what the files are for. */
  readonly edits: readonly HomeEdit[];
}

export async function probeUser(probe: UserProbe): Promise<UserState> {
  const { home, env } = probe;
  const start = await probeStartFiles(home);
  const condarc = start.hasConda ? await probeCondarc(home, env) : { findings: [], edits: [] };
  const site = await findSite(probe);
  const userBase = env['PYTHONUSERBASE'] ?? path.join(home, '.local');
  const shadows = await readShadows(userBase, site === undefined ? [] : await readPublished(site));
  const { venvs, isCut } = await readBrokenVenvs([home, ...probe.directories], probe.signal);
  return {
    findings: [
      ...start.findings,
      ...condarc.findings,
      ...describeVariables(env),
      ...(site === undefined ? [NO_SITE] : []),
      ...shadows.map(describeShadow),
      ...venvs.map(describeVenv),
      ...(isCut ? [TOO_MANY] : []),
    ],
    edits: [...start.edits, ...condarc.edits],
  };
}

const NO_SITE: Finding = {
  name: 'site',
  status: 'ok',
  found: 'none is known, so packages of pip install --user are compared with nothing',
  fix: 'module load one of its environments, or: condense doctor user --site <prefix>',
};
const TOO_MANY: Finding = {
  name: 'venvs',
  status: 'ok',
  found: 'there are more directories than are looked into',
  fix: 'condense doctor user <directory>   (where your venvs are)',
};

async function probeStartFiles(home: string): Promise<UserState & { readonly hasConda: boolean }> {
  const findings: Finding[] = [];
  const edits: HomeEdit[] = [];
  let hasConda = false;
  for (const start of await readStartFiles(home)) {
    const found = parseStartFile(start.text, start.language);
    // That for csh activates nothing by itself.
    const isConda = (finding: StartFinding): boolean => finding.kind === 'conda-block' && finding.tool === 'conda';
    hasConda ||= start.language !== 'csh' && found.some(isConda);
    findings.push(...found.map((finding) => describeStartFinding(start, finding)));
    const after = planStartText(start, found);
    if (after !== start.text)
      edits.push({ name: start.name, file: start.file, before: start.text, after, shell: start.shell });
  }
  return { findings, edits, hasConda };
}

async function probeCondarc(home: string, env: NodeJS.ProcessEnv): Promise<UserState> {
  const { file, text, activatesBase } = await readCondarc(home, env);
  if (!activatesBase) return { findings: [], edits: [] };
  const after = planCondarc(text ?? '');
  return {
    findings: [describeCondarc(file, after !== undefined)],
    edits:
      after === undefined
        ? []
        : [{ name: path.relative(home, file), file: (await readForeignPath(file)) ?? file, before: text, after }],
  };
}

/** What is published, by the links that users follow. */
async function findSite({ sitePrefix, env }: UserProbe): Promise<StoreLayout | undefined> {
  if (sitePrefix !== undefined) return new StoreLayout(path.resolve(sitePrefix));
  for (const dir of (env['PATH'] ?? '').split(':')) {
    const farm = path.isAbsolute(dir) ? await readForeignPath(dir) : undefined;
    const store = farm === undefined ? undefined : StoreLayout.ofFarm(farm);
    if (store) return store;
  }
  return undefined;
}

async function readPublished(store: StoreLayout): Promise<PublishedPackages[]> {
  const versions = (await readCurrentGeneration(store))?.versions ?? new Map<string, string>();
  return await Promise.all(
    [...versions].map(async ([fullName, id]) => ({
      fullName,
      packages: (await readManifest(store, fullName, id)).packages,
    })),
  );
}

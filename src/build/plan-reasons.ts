// Why something would be built: each input that is not what it was, with the keys and packages that make the difference. Pure.
import { describeSiteConfig } from '../config/describe-site-config.ts';
import { parseSiteConfigSource } from '../config/parse-site-config.ts';
import { compareLocks, isEmptyDiff, renderLockDiff } from '../conda/lock-diff.ts';
import type { EnvironmentLock } from '../conda/lock.ts';
import { compareInputs } from '../release/release-diff.ts';
import { AppError } from '../system/app-error.ts';
import type { PlannedBuild } from './plan-document.ts';

type PlanReason = PlannedBuild['reasons'][number];

/** The inputs of `planInputs`, in words. */
const INPUTS: Readonly<Record<string, string>> = {
  base: 'the base container is another one',
  condense: 'another version of condense',
  customise:
    'what is removed, replaced, added or run (remove, replace, files, hooks, libraries), or what of the site that names',
  drop: 'what is left out of the image',
  environment: 'the variables of the spec',
  gate: 'what the gate asks for, or the tests beside the spec',
  installer: 'another version of the installer',
  launcher: 'the launcher, or what of the configuration is written into it',
  lock: 'other packages',
  module: 'the module template, or what of the configuration is written into it',
  spec: 'the specs',
  squashfs: 'how the image is packed (squashfs; gate.imports, whose files come first)',
};

export interface ReleaseInputs {
  readonly inputs: Readonly<Record<string, string>>;
  readonly lock: EnvironmentLock | undefined;
  /** install_config.yaml without credentials; older releases do not have it. */
  readonly config: string | undefined;
}

/** @param before of the newest release; undefined: there is none. @param environment whose keys count, besides the site's */
export function planReasons(
  before: ReleaseInputs | undefined,
  now: ReleaseInputs & { readonly isPipOpen: boolean },
  environment: string,
): readonly PlanReason[] {
  if (!before) return [{ input: 'release', what: 'there is no release yet', details: [] }];
  const reasons = compareInputs(before.inputs, now.inputs)
    // Without what pip adds, no lock is what it was.
    .filter((name) => name !== 'lock' || !now.isPipOpen || differ(before.lock, now.lock))
    .map((name) => ({ input: name, what: INPUTS[name] ?? name, details: describeDetails(name, before, now) }));
  const pip = { input: 'pip', what: 'the pip section is resolved first; what it adds is not known yet', details: [] };
  const keys = compareConfigs(before.config, now.config, environment);
  const config = { input: 'config', what: 'keys of the configuration that changed', details: keys };
  return [...reasons, ...(now.isPipOpen ? [pip] : []), ...(reasons.length > 0 && keys.length > 0 ? [config] : [])];
}

function differ(before: EnvironmentLock | undefined, now: EnvironmentLock | undefined): boolean {
  return !before || !now || !isEmptyDiff(compareLocks({ packages: before.packages }, { packages: now.packages }));
}

function describeDetails(name: string, before: ReleaseInputs, now: ReleaseInputs): string[] {
  if (name === 'lock' && before.lock && now.lock) return renderLockDiff(compareLocks(before.lock, now.lock));
  if (name !== 'spec') return [];
  const [was, is] = [before.lock?.specs, now.lock?.specs];
  if (!was || !is) return [];
  return [
    ...was.filter((text) => !is.includes(text)).map((text) => `- ${text}`),
    ...is.filter((text) => !was.includes(text)).map((text) => `+ ${text}`),
  ];
}

/** `drop.tests: false -> true`; nothing where one of them is not known or was of another condense. */
function compareConfigs(before: string | undefined, now: string | undefined, environment: string): string[] {
  if (before === undefined || now === undefined) return [];
  const [was, is] = [readValues(before, environment), readValues(now, environment)];
  if (!was || !is) return [];
  const show = (value: unknown): string => (value === undefined ? 'not set' : JSON.stringify(value));
  return [...new Set([...was.keys(), ...is.keys()])]
    .sort()
    .filter((key) => JSON.stringify(was.get(key)) !== JSON.stringify(is.get(key)))
    .map((key) => `${key}: ${show(was.get(key))} -> ${show(is.get(key))}`);
}

function readValues(text: string, environment: string): ReadonlyMap<string, unknown> | undefined {
  try {
    // The same machine for both: what is not written does not differ.
    const { config, source } = parseSiteConfigSource(text, '/install_config.yaml', { tmpDir: '/tmp', uid: 0 });
    return new Map(
      describeSiteConfig(config, source)
        .filter(({ path }) => path[0] !== 'environments' || path[1] === environment)
        .map(({ path, value }) => [path.join('.'), value]),
    );
  } catch (error) {
    if (error instanceof AppError) return undefined;
    throw error;
  }
}

// What the modulefile of a release says, from what is known when the release is made.
import type { ModulePolicy } from '../config/site-config.ts';
import { planCondaFunctions, planCondaVariables } from '../modules/conda-function.ts';
import { parseOwnDirectory, type ModuleFacts, type ModuleNotice, type OwnSettings } from '../modules/module-facts.ts';
import type { ReleaseFacts } from '../release/manifest.ts';
import type { Layout, ReleaseLayout } from '../site/layout.ts';

const DAY_SECONDS = 24 * 3600;

export function planModuleFacts(
  layout: Layout,
  site: string,
  policy: ModulePolicy,
  facts: ReleaseFacts,
  id: string,
): ModuleFacts {
  const { fullName, commands } = facts;
  const conda = {
    ...{ fullName, commands, farm: layout.publicFarm(fullName), launcher: layout.publicLauncher(fullName) },
    inside: layout.condaPrefix(fullName),
  };
  return {
    site,
    family: layout.moduleFamily,
    fullName,
    releaseId: id,
    farm: layout.publicFarm(fullName),
    activation: facts.activation,
    variables: {
      ...planOwnVariables(policy.ownEnvironments),
      ...(policy.ownEnvironments ? planCondaVariables(conda) : {}),
      ...planLaunchAgents(commands, layout.release(fullName, id)),
      ...fillVariables(policy.variables, {
        '{prefix}': layout.prefix,
        '{farm}': layout.publicFarm(fullName),
        '{launcher}': layout.publicLauncher(fullName),
      }),
    },
    functions: policy.ownEnvironments ? planCondaFunctions(conda) : [],
    ...(facts.packages.some(({ name }) => name === 'jupyter_core') ? { jupyterPath: layout.publicJupyter } : {}),
    own: planOwnSettings(layout, policy.ownEnvironments),
    prerequisites: policy.prerequisites,
    notices: planNotices(policy, facts, layout.moduleFamily),
    hasPython: commands.includes('python3'),
    packages: facts.packages.map(({ name, version, source }) => `${name} ${version}${source ? ` (${source})` : ''}`),
  };
}

/** conda reads each of its settings from a variable, too (conda, "Configuration"; base/context.py has what separates lists). */
function planOwnVariables(own: ModulePolicy['ownEnvironments']): Record<string, string> {
  if (!own) return {};
  return {
    CONDA_CHANNELS: own.channels.join(','),
    CONDA_CHANNEL_PRIORITY: 'strict',
    CONDA_AUTO_UPDATE_CONDA: 'false',
    ...(own.threads === undefined ? {} : { CONDA_DEFAULT_THREADS: String(own.threads) }),
    ...(own.pinned.length === 0 ? {} : { CONDA_PINNED_PACKAGES: own.pinned.join('&') }),
  };
}

function planOwnSettings(layout: Layout, own: ModulePolicy['ownEnvironments']): OwnSettings | undefined {
  return (
    own && {
      pieces: parseOwnDirectory(own.directory),
      settings: [
        { name: 'CONDA_ENVS_PATH', after: `/envs:${layout.publicActivate}` },
        { name: 'CONDA_PKGS_DIRS', after: ['/pkgs', ...own.packageCaches].join(',') },
      ],
    }
  );
}

/** Modules that other tools look at: `{farm}` and its like become paths. */
function fillVariables(
  variables: ModulePolicy['variables'],
  paths: Readonly<Record<string, string>>,
): Record<string, string> {
  const fill = (value: string): string =>
    value.replaceAll(/\{\w+\}/g, (placeholder) => paths[placeholder] ?? placeholder);
  return Object.fromEntries(Object.entries(variables).map(([name, value]) => [name, fill(value)]));
}

function planNotices(policy: ModulePolicy, facts: ReleaseFacts, family: string): ModuleNotice[] {
  const module = `${family}/${facts.fullName}`;
  const next = `See "module avail ${family}" for newer ones.`;
  const created = Math.floor(Date.parse(facts.createdAt) / 1000);
  const notices: ModuleNotice[] = [];
  if (policy.endOfLife !== undefined) {
    const end = Date.parse(`${policy.endOfLife}T00:00:00Z`) / 1000 + DAY_SECONDS;
    notices.push({ afterSeconds: end, text: `${module} has not been supported since ${policy.endOfLife}. ${next}` });
  }
  if (policy.noticeAfterDays !== undefined) {
    const day = facts.createdAt.slice(0, 10);
    const text = `${module} was built on ${day}, more than ${policy.noticeAfterDays} days ago. ${next}`;
    notices.push({ afterSeconds: created + policy.noticeAfterDays * DAY_SECONDS, text });
  }
  return notices;
}

/**
 * Open MPI starts its daemon on other nodes by this path: that of the release, which they see and which starts the
 * container there. Up to 4 it is orted (orte_launch_agent), from 5 prted (PRRTE's prte_launch_agent).
 */
function planLaunchAgents(commands: readonly string[], release: ReleaseLayout): Record<string, string> {
  const agents = { OMPI_MCA_orte_launch_agent: 'orted', PRTE_MCA_prte_launch_agent: 'prted' };
  return Object.fromEntries(
    Object.entries(agents).flatMap(([name, daemon]) =>
      commands.includes(daemon) ? [[name, release.command(daemon)]] : [],
    ),
  );
}

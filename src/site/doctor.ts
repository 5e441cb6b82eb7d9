// Whether this machine can build, publish and launch: what was looked at, what was found, and how to mend it.
import type { SiteConfig } from '../config/site-config.ts';
import { AppError } from '../system/app-error.ts';
import { lstatIfThere, readText, stat } from '../system/files.ts';
import { findProgram } from '../system/find-program.ts';
import { probeDirectories } from './directories.ts';
import type { Finding } from './finding.ts';
import { readInstallerProgram } from './installer-program.ts';
import { isMember, readGroupId } from './permissions.ts';
import { probePrograms } from './programs.ts';
import { readRuntime } from './runtime.ts';

export async function probeSite(config: SiteConfig): Promise<Finding[]> {
  const findings = [
    await probeRuntime(config),
    await probeInstaller(config),
    ...(await probePrograms()),
    await probeModules(),
    await probeUserNamespaces(),
    await probeFuse(),
    await probeOverlay(),
    await probeGroup(config, config.groups.users),
    await probeGroup(config, config.groups.owners),
    ...(await probeDirectories(config)),
  ];
  return findings.filter((finding) => finding !== undefined);
}

async function probeRuntime(config: SiteConfig): Promise<Finding> {
  try {
    const runtime = await readRuntime(config);
    return { name: 'container runtime', status: 'ok', found: `${runtime.version} (${runtime.program})` };
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    const [problem] = error.problems;
    return { name: 'container runtime', status: 'failure', found: error.message, fix: problem?.hint };
  }
}

/** Nothing where condense installs by itself. */
async function probeInstaller(config: SiteConfig): Promise<Finding | undefined> {
  try {
    const installer = await readInstallerProgram(config);
    return installer && { name: 'installer', status: 'ok', found: `${installer.version} (${installer.program})` };
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    const [problem] = error.problems;
    return { name: 'installer', status: 'failure', found: error.message, fix: problem?.hint };
  }
}

async function probeModules(): Promise<Finding> {
  const found = process.env['LMOD_CMD'] ?? process.env['MODULESHOME'] ?? (await findProgram('modulecmd'));
  if (found !== undefined) return { name: 'environment modules', status: 'ok', found };
  return {
    name: 'environment modules',
    status: 'warning',
    found: 'neither Environment Modules nor Lmod seen from here',
    fix: 'apt-get install environment-modules   (users need it on the nodes; building does not)',
  };
}

async function readNumber(file: string): Promise<number | undefined> {
  return (await lstatIfThere(file)) ? Number(await readText(file)) : undefined;
}

async function probeUserNamespaces(): Promise<Finding> {
  const most = await readNumber('/proc/sys/user/max_user_namespaces');
  const clone = await readNumber('/proc/sys/kernel/unprivileged_userns_clone');
  const apparmor = await readNumber('/proc/sys/kernel/apparmor_restrict_unprivileged_userns');
  const found = `max_user_namespaces ${most ?? 'unknown'}`;
  if (most === 0)
    return { name: 'user namespaces', status: 'failure', found, fix: 'sysctl -w user.max_user_namespaces=15000' };
  if (clone === 0)
    return {
      name: 'user namespaces',
      status: 'failure',
      found: 'only for root',
      fix: 'sysctl -w kernel.unprivileged_userns_clone=1',
    };
  if (apparmor === 1)
    return {
      name: 'user namespaces',
      status: 'warning',
      found: 'restricted by AppArmor',
      fix: 'install the runtime’s AppArmor profile, or sysctl -w kernel.apparmor_restrict_unprivileged_userns=0',
    };
  return { name: 'user namespaces', status: most === undefined ? 'warning' : 'ok', found };
}

async function probeFuse(): Promise<Finding> {
  const device = (await lstatIfThere('/dev/fuse')) ? await stat('/dev/fuse') : undefined;
  if (!device) return { name: '/dev/fuse', status: 'warning', found: 'missing', fix: 'modprobe fuse' };
  const open = (device.mode & 0o006) === 0o006;
  return {
    name: '/dev/fuse',
    status: open ? 'ok' : 'warning',
    found: `mode ${(device.mode & 0o777).toString(8)}`,
    ...(open
      ? {}
      : { fix: 'chmod 0666 /dev/fuse   (ordinary users mount images through it; a udev rule makes it last)' }),
  };
}

async function probeOverlay(): Promise<Finding> {
  const names = (await readText('/proc/filesystems')).split(/\s+/);
  const missing = ['overlay', 'squashfs'].filter((name) => !names.includes(name));
  return missing.length === 0
    ? { name: 'kernel file systems', status: 'ok', found: 'overlay, squashfs' }
    : {
        name: 'kernel file systems',
        status: 'warning',
        found: `not loaded: ${missing.join(', ')}`,
        fix: missing.map((name) => `modprobe ${name}`).join('; '),
      };
}

async function probeGroup(config: SiteConfig, group: string | undefined): Promise<Finding | undefined> {
  if (group === undefined) return undefined;
  try {
    const id = await readGroupId(group, config.file);
    const member = isMember(id);
    return {
      name: `group ${group}`,
      status: member ? 'ok' : 'failure',
      found: member ? `gid ${id}` : 'this account is not a member',
      ...(member ? {} : { fix: `usermod -aG ${group} "$USER", then log in again` }),
    };
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return { name: `group ${group}`, status: 'failure', found: 'does not exist', fix: `groupadd ${group}` };
  }
}

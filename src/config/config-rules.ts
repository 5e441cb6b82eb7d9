// What the keys of a configuration must be together: paths that hold after they are made absolute, public names that
// do not clash, compression levels that exist. Looks at the written values, so that it can speak beside schema errors.
import path from 'node:path';
import type { Problem } from '../system/app-error.ts';
import { isWithin } from '../system/within.ts';
import { describePath, valueAt } from './describe-issues.ts';
import { pathRule, quoted, unusableCharacter } from './text-rules.ts';
import { keyRules, writtenConfig } from './written-config.ts';
import { versionRule } from './written-environment.ts';
import type { KeyPath, YamlSource } from './yaml-source.ts';

/** The product's own directory below the prefix: releases, generations, bases. */
export const STORE_DIR = 'apps/condense';

/** What parsing needs to know of the machine. */
export interface ConfigProbe {
  /** `os.tmpdir()` */
  readonly tmpDir: string;
  /** The user's number: two users must not share a staging directory. */
  readonly uid: number;
}

/** Every problem that the schema cannot see. */
export function findRuleProblems(source: YamlSource, defaultStagingDir: string): Problem[] {
  const problems: Problem[] = [];
  const complain = (at: KeyPath, message: string, hint?: string): void => {
    problems.push({ code: 'CONFIG_INVALID', message: `${describePath(at)} ${message}`, at: source.at(at), hint });
  };
  const text = (at: KeyPath): string | undefined => {
    const value = valueAt(source.value, at);
    return typeof value === 'string' ? value : undefined;
  };

  for (const { path: pattern, rule } of keyRules) {
    const keys = mappingsAt(source, pattern).flatMap((parent) =>
      keysAt(source, parent).map((key) => ({ parent, key })),
    );
    for (const { parent, key } of keys) {
      const wrong = rule(key);
      if (wrong) {
        const at = [...parent, key];
        problems.push({
          code: 'CONFIG_INVALID',
          message: `${describePath(at)}: the name ${wrong.message}`,
          at: source.atKey(at),
          hint: wrong.hint,
        });
      }
    }
  }
  checkPaths(text, complain, path.dirname(path.resolve(source.file)), defaultStagingDir);
  checkLevel(source, complain);
  checkPermissions(source, complain);
  checkPublicNames(source, text, complain);
  checkReplaced(source, complain);
  return problems;
}

/** `*` in the pattern stands for each key that is there, one that is called `*` as well. */
function mappingsAt(source: YamlSource, pattern: readonly string[]): readonly string[][] {
  let found: string[][] = [[]];
  for (const key of pattern)
    found = found.flatMap((at) => (key === '*' ? keysAt(source, at) : [key]).map((next) => [...at, next]));
  return found;
}

type Complain = (at: KeyPath, message: string, hint?: string) => void;
type TextAt = (at: KeyPath) => string | undefined;

function keysAt(source: YamlSource, at: KeyPath): string[] {
  const value = valueAt(source.value, at);
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.keys(value) : [];
}

const PUBLIC_DIRS = ['scripts_dir', 'envs_dir', 'modules_dir', 'jupyter_dir', 'activate_dir'] as const;

/** As written, else the default. */
function publicDir(text: TextAt, key: (typeof PUBLIC_DIRS)[number]): string {
  return text([key]) ?? writtenConfig.shape[key].parse(undefined);
}

function checkPaths(text: TextAt, complain: Complain, configDir: string, defaultStagingDir: string): void {
  const absolute = (key: string): string | undefined => {
    const written = text([key]);
    return written === undefined || pathRule(written) ? undefined : path.resolve(configDir, written);
  };
  for (const key of ['prefix', 'admin_dir', 'staging_dir']) {
    const dir = absolute(key);
    if (dir === undefined) continue;
    const unusable = unusableCharacter(dir);
    if (unusable) complain([key], `is ${quoted(dir)}, which ${unusable}`, 'choose another directory');
    else if (dir === '/') complain([key], `must not be '/'`);
  }
  const unusable = unusableCharacter(defaultStagingDir);
  if (unusable && text(['staging_dir']) === undefined) {
    complain(['staging_dir'], `is by default ${quoted(defaultStagingDir)}, which ${unusable}`, 'set staging_dir');
  }
  const prefix = absolute('prefix');
  if (prefix === undefined || prefix === '/') return;

  const dirs: [string, string][] = [];
  for (const key of PUBLIC_DIRS) {
    const dir = publicDir(text, key);
    if (isWithin(dir, STORE_DIR) || isWithin(STORE_DIR, dir)) {
      complain([key], `must not overlap ${STORE_DIR}, where the product keeps its releases`);
    }
    for (const [other, taken] of dirs) {
      if (isWithin(dir, taken) || isWithin(taken, dir)) {
        complain([key], `${quoted(dir)} overlaps ${other} ${quoted(taken)}`, 'give each a directory of its own');
      }
    }
    dirs.push([key, dir]);
  }
  for (const key of ['admin_dir', 'staging_dir']) {
    const dir = absolute(key);
    const holder = [...dirs.map(([, taken]) => taken), STORE_DIR].find((taken) =>
      isWithin(dir ?? '', path.join(prefix, taken)),
    );
    if (dir === prefix) complain([key], 'must not be the prefix: users see that');
    else if (holder) complain([key], `must not be in ${quoted(path.join(prefix, holder))}: users see that`);
  }
}

function checkLevel(source: YamlSource, complain: Complain): void {
  const level = valueAt(source.value, ['squashfs', 'level']);
  const compression = valueAt(source.value, ['squashfs', 'compression']) ?? 'zstd';
  if (typeof level !== 'number' || typeof compression !== 'string') return;
  // mksquashfs(1), "Compressors available and compressor specific options". zstd's range is the schema's.
  if (compression === 'gzip' && level > 9)
    complain(['squashfs', 'level'], `must be from 1 to 9 for gzip, not ${level}`);
  if (['lz4', 'xz', 'none'].includes(compression)) {
    complain(['squashfs', 'level'], `has no meaning for ${compression}`, 'remove the key, or choose zstd or gzip');
  }
}

/** What would have no effect, said instead of passed over. */
function checkPermissions(source: YamlSource, complain: Complain): void {
  const readers = valueAt(source.value, ['permissions', 'readers']);
  if (Array.isArray(readers) && readers.length > 0 && valueAt(source.value, ['groups', 'users']) === undefined)
    complain(['permissions', 'readers'], 'has no meaning without groups.users: everybody reads', 'set groups: users');
  if (
    valueAt(source.value, ['permissions', 'owners_write']) === true &&
    valueAt(source.value, ['groups', 'owners']) === undefined
  )
    complain(['permissions', 'owners_write'], 'needs groups.owners', 'set groups: owners');
  if (
    valueAt(source.value, ['signing', 'required']) === true &&
    valueAt(source.value, ['signing', 'allowed_signers']) === undefined
  )
    complain(['signing', 'required'], 'needs signing.allowed_signers', 'set signing: allowed_signers');
}

// execve(2): the kernel reads 256 bytes of a script for its first line (BINPRM_BUF_SIZE, since Linux 5.1), '#!' and newline included.
const MAX_INTERPRETER = 256 - '#!\n'.length;

/** Full names and aliases share three directories and the module tree: each may mean one thing only. */
function checkPublicNames(source: YamlSource, text: TextAt, complain: Complain): void {
  const taken = new Map<string, string>();
  const take = (name: string, meaning: string, at: KeyPath): void => {
    const other = taken.get(name);
    if (other !== undefined && other !== meaning) {
      complain(at, `gives ${quoted(name)} as ${meaning}, which is already ${other}`, 'rename one of them');
    }
    taken.set(name, other ?? meaning);
  };
  const standard = text(['default_environment']);
  if (standard !== undefined && !keysAt(source, ['environments']).includes(standard)) {
    const known = keysAt(source, ['environments']).join(', ') || 'none';
    complain(['default_environment'], `is ${quoted(standard)}, which is not among the environments: ${known}`);
  }
  const prefix = text(['prefix']) ?? '';
  const scripts = publicDir(text, 'scripts_dir');
  for (const name of keysAt(source, ['environments'])) {
    const at: KeyPath = ['environments', name];
    take(name, `the alias of environment ${name}`, at);
    take(`${name}-unstable`, `the unstable alias of environment ${name}`, at);
    for (const key of ['version', 'stable', 'unstable']) {
      const version = text([...at, key]);
      if (version === undefined || versionRule(version)) continue;
      take(`${name}-${version}`, `version ${version} of environment ${name}`, [...at, key]);
      if (key !== 'version' && version.startsWith(`${name}-`)) {
        complain(
          [...at, key],
          `must be a version alone, not the full name ${quoted(version)}`,
          `write ${key}: '${version.slice(name.length + 1)}'`,
        );
      }
    }
    const root = path.resolve(path.dirname(path.resolve(source.file)), prefix);
    const interpreter = path.join(root, scripts, `${name}-${text([...at, 'version']) ?? ''}.d`, 'bin/python3');
    if (prefix !== '' && Buffer.byteLength(interpreter) > MAX_INTERPRETER) {
      complain(
        [...at, 'version'],
        `makes a '#!' line of more than 256 bytes, which the kernel does not read to its end: ${quoted(interpreter)}`,
        'choose a shorter prefix or name',
      );
    }
  }
}

function checkReplaced(source: YamlSource, complain: Complain): void {
  for (const name of keysAt(source, ['environments'])) {
    const removed = keysAt(source, ['environments', name, 'remove']);
    for (const key of keysAt(source, ['environments', name, 'replace'])) {
      const at = ['environments', name, 'replace', key];
      if (removed.includes(key)) complain(at, 'is in remove, too', 'write it in one of the two');
    }
  }
}

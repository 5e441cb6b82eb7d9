// Where noarch: python packages go in an environment, and the commands made of their entry points. Pure.
// Sources: CEP 17 (site-packages path), CEP 20 (what noarch: python asks of installers), conda/common/path
// (get_python_noarch_target_path, parse_entry_point_def), conda/gateways/disk/create.py (the script).
import { parseMemberName } from './archive-members.ts';
import { packageHostile, packageInvalid } from './package-problem.ts';

/** The environment's python, as paths relative to the prefix. */
export interface PythonLayout {
  /** `lib/python3.13/site-packages` */
  readonly sitePackages: string;
  /** `bin/python3.13` */
  readonly interpreter: string;
}

/** @param python the python package that is to be installed */
export function planPython(python: {
  readonly url: string;
  readonly version: string;
  readonly sitePackagesPath?: string | null | undefined;
}): PythonLayout {
  const [, minor] = /^(\d+\.\d+)/.exec(python.version) ?? [];
  if (minor === undefined) throw packageInvalid(python.url, `python has the version ${python.version}`);
  const sitePackages = python.sitePackagesPath ?? `lib/python${minor}/site-packages`;
  const parsed = parseMemberName(sitePackages);
  // CEP 17: a path outside the environment is an error.
  if ('refused' in parsed || parsed.path === '')
    throw packageHostile(python.url, sitePackages, 'as python_site_packages_path leaves the environment');
  return { sitePackages: parsed.path, interpreter: `bin/python${minor}` };
}

/** Where a noarch: python package's path goes. */
export function noarchTarget(path: string, python: PythonLayout): string {
  if (path.startsWith('site-packages/')) return `${python.sitePackages}${path.slice('site-packages'.length)}`;
  if (path.startsWith('python-scripts/')) return `bin${path.slice('python-scripts'.length)}`;
  return path;
}

/** Whether installers compile this file of a noarch: python package (conda: CompileMultiPycAction). */
export function isNoarchSource(path: string): boolean {
  return path.startsWith('site-packages/') && path.endsWith('.py');
}

export interface EntryPoint {
  readonly command: string;
  readonly module: string;
  readonly func: string;
}

/** Far longer than any; of much longer texts the pattern below would take hours. */
const maxEntryPointLength = 1000;

/** `name = package.module:object.function`; a setuptools extra in brackets is dropped. */
export function parseEntryPoint(url: string, text: string): EntryPoint {
  const [, command, module, func] =
    /^\s*([^=/\s][^=/]*?)\s*=\s*([\p{L}_][\p{L}\p{N}_.]*)\s*:\s*([\p{L}_][\p{L}\p{N}_.]*)\s*(?:\[[^\]]*\])?\s*$/u.exec(
      text.length > maxEntryPointLength ? '' : text,
    ) ?? [];
  if (command === undefined || module === undefined || func === undefined || 'refused' in parseMemberName(command))
    throw packageInvalid(url, `info/link.json has the entry point ${JSON.stringify(text.slice(0, 200))}`);
  return { command, module, func };
}

/** The script of a command, byte for byte as conda writes it. */
export function renderEntryPoint(entryPoint: EntryPoint, python: PythonLayout, prefixInside: string): string {
  const { module, func } = entryPoint;
  const [imported] = func.split('.');
  return `${entryPointShebang(`${prefixInside}/${python.interpreter}`)}# -*- coding: utf-8 -*-
import re
import sys

from ${module} import ${imported ?? func}

if __name__ == '__main__':
    sys.argv[0] = re.sub(r'(-script\\.pyw?|\\.exe)?$', '', sys.argv[0])
    sys.exit(${func}())
`;
}

/** conda/core/portability.py, generate_shebang_for_entry_point: what is a string to Python is a command to sh. */
function entryPointShebang(interpreter: string): string {
  const line = `#!${interpreter}\n`;
  if (Buffer.byteLength(line) <= 127 && !interpreter.includes(' ')) return line;
  return `#!/bin/sh\n'''exec' "${interpreter}" "$0" "$@" #'''\n`;
}

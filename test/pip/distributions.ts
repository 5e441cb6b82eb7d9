// Wheels and sdists made in memory (PEP 427, PEP 491, PEP 517), to serve from an index of the tests' own.
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { ZipFile } from 'yazl';
import { walkTree } from '../../src/system/files.ts';
import { writeTar } from '../channel/tar-archive.ts';

export interface Distribution {
  readonly project: string;
  readonly fileName: string;
  readonly bytes: Buffer;
}

export interface WheelToMake {
  readonly name: string;
  readonly version: string;
  /** By path in the wheel. */
  readonly files: Readonly<Record<string, string | Buffer>>;
  readonly entryPoints?: string;
  /** Further lines of METADATA: `Requires-Dist: foo>=1`. */
  readonly metadata?: readonly string[];
  /** Default: `py3-none-any`. */
  readonly tag?: string;
}

const sha256 = (bytes: Buffer): Buffer => createHash('sha256').update(bytes).digest();

export async function makeWheel(wanted: WheelToMake): Promise<Distribution> {
  const { name, version, tag = 'py3-none-any' } = wanted;
  const info = `${name}-${version}.dist-info`;
  const files: Record<string, string | Buffer> = {
    ...wanted.files,
    [`${info}/METADATA`]: [
      'Metadata-Version: 2.1',
      `Name: ${name}`,
      `Version: ${version}`,
      ...(wanted.metadata ?? []),
      '',
    ].join('\n'),
    [`${info}/WHEEL`]: `Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: ${String(tag.endsWith('any'))}\nTag: ${tag}\n`,
    ...(wanted.entryPoints === undefined ? {} : { [`${info}/entry_points.txt`]: wanted.entryPoints }),
  };
  const record = Object.entries(files).map(([path, data]) => {
    const bytes = Buffer.from(data);
    return `${path},sha256=${sha256(bytes).toString('base64url')},${bytes.length}\n`;
  });
  const zip = new ZipFile();
  const bytes = buffer(zip.outputStream);
  for (const [path, data] of Object.entries({ ...files, [`${info}/RECORD`]: `${record.join('')}${info}/RECORD,,\n` })) {
    const mode = path.includes('.data/scripts/') ? 0o100755 : 0o100644;
    zip.addBuffer(Buffer.from(data), path, {
      mtime: new Date(2024, 5, 1),
      forceDosTimestamp: true,
      mode,
      compress: true,
    });
  }
  zip.end();
  return { project: name, fileName: `${name}-${version}-${tag}.whl`, bytes: await bytes };
}

/** The same with `xx/` in the names of its files made `../`: no honest tool writes such a wheel. */
export function makeHostile(wheel: Distribution): Distribution {
  return { ...wheel, bytes: Buffer.from(wheel.bytes.toString('latin1').replaceAll('xx/', '../'), 'latin1') };
}

/** @param files below the sdist's one directory */
export async function makeSdist(
  name: string,
  version: string,
  files: Readonly<Record<string, string>>,
): Promise<Distribution> {
  const root = `${name}-${version}`;
  const entries = Object.entries({
    ...files,
    'PKG-INFO': `Metadata-Version: 2.1\nName: ${name}\nVersion: ${version}\n`,
  });
  const tar = writeTar(entries.map(([path, data]) => ({ type: 'file', path: `${root}/${path}`, data })));
  return { project: name, fileName: `${root}.tar.gz`, bytes: gzipSync(await tar) };
}

/** A project with a build backend of its own (PEP 517, `backend-path`), which requires nothing. */
export function backendFiles(name: string, version: string): Record<string, string> {
  return {
    'pyproject.toml': `[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n`,
    'backend.py': `import hashlib, base64, os, zipfile
NAME, VERSION = ${JSON.stringify(name)}, ${JSON.stringify(version)}
INFO = f'{NAME}-{VERSION}.dist-info'
FILES = {
    f'{INFO}/METADATA': f'Metadata-Version: 2.1\\nName: {NAME}\\nVersion: {VERSION}\\n',
    f'{INFO}/WHEEL': 'Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n',
}
def build_wheel(directory, config_settings=None, metadata_directory=None):
    files = dict(FILES)
    with open(NAME + '.py') as module:
        files[NAME + '.py'] = module.read()
    record = ''.join(f'{name},,\\n' for name in [*files, f'{INFO}/RECORD'])
    wheel = f'{NAME}-{VERSION}-py3-none-any.whl'
    with zipfile.ZipFile(os.path.join(directory, wheel), 'w') as archive:
        for name, text in {**files, f'{INFO}/RECORD': record}.items():
            archive.writestr(zipfile.ZipInfo(name), text)
    return wheel
def build_sdist(directory, config_settings=None):
    raise NotImplementedError
`,
    [`${name}.py`]: `ORIGIN = ${JSON.stringify(`built ${name} ${version}`)}\n`,
  };
}

/** setuptools and wheel, as wheels: out of the files of an environment that has them. @param site its site-packages */
export async function setuptoolsWheels(site: string): Promise<Distribution[]> {
  const wheels: Distribution[] = [];
  for (const name of ['setuptools', 'wheel']) {
    const info = (await readdir(site)).find((each) => each.startsWith(`${name}-`)) ?? '';
    const version = /-([\d.]*\d)/.exec(info)?.[1] ?? '';
    const files: Record<string, Buffer> = {};
    for (const top of name === 'wheel' ? ['wheel'] : ['setuptools', 'pkg_resources', '_distutils_hack']) {
      for await (const entry of walkTree(path.join(site, top)))
        if (entry.kind === 'file' && !entry.path.endsWith('.pyc'))
          files[`${top}/${entry.path}`] = await readFile(path.join(site, top, entry.path));
    }
    const entryPoints = await readFile(path.join(site, info, 'entry_points.txt'), 'utf8');
    wheels.push(await makeWheel({ name, version, files, entryPoints }));
  }
  return wheels;
}

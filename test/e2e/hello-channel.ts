// A tiny real channel: the package `hello` in two versions, with a text placeholder and an activation script.
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { writeCondaPackage, type CondaPackage } from '../channel/conda-package.ts';
import { writeRepodata } from '../channel/write-repodata.ts';

const PLACEHOLDER = '/home/conda/feedstock_root/build_artifacts/hello/_h_env_placehold';

/** `hello` prints its version and prefix; `hello-later` waits for a line first, then reads its version from the image. */
function helloPackage(dir: string, version: string): CondaPackage {
  const script = (text: string): string => `#!/bin/bash\n${text}\n`;
  const placeholder = { text: PLACEHOLDER, mode: 'text' } as const;
  return {
    dir,
    format: 'conda',
    index: { name: 'hello', version, build: 'h0_0', build_number: 0, subdir: 'linux-64', depends: [], license: 'MIT' },
    files: [
      {
        type: 'file',
        path: 'bin/hello',
        mode: 0o755,
        data: script(`echo "hello ${version} from ${PLACEHOLDER}"`),
        placeholder,
      },
      {
        type: 'file',
        path: 'bin/hello-later',
        mode: 0o755,
        data: script(`echo ready; read -r; echo "still $(< ${PLACEHOLDER}/share/hello/version)"`),
        placeholder,
      },
      { type: 'file', path: 'share/hello/version', data: `${version}\n` },
      {
        type: 'file',
        path: 'etc/conda/activate.d/hello.sh',
        data: 'export HELLO_DATA="${CONDA_PREFIX}/share/hello"\n',
      },
    ],
  };
}

/** @returns the channel's URL */
export async function writeHelloChannel(
  siteDir: string,
  versions: readonly string[] = ['1.0', '2.0'],
): Promise<string> {
  const dir = path.join(siteDir, 'channel');
  const records = [];
  for (const version of versions) records.push(await writeCondaPackage(helloPackage(dir, version)));
  await writeRepodata(dir, records);
  return pathToFileURL(dir).href;
}

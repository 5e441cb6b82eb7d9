// Publishing and rolling back again and again, while ordinary users load the module, resolve the alias and run commands.
import { rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { execa } from 'execa';
import { runGc } from '../src/cli/gc.ts';
import { Output } from '../src/cli/output.ts';
import { runPublish } from '../src/cli/publish.ts';
import { runRollback } from '../src/cli/rollback.ts';
import { openSession } from '../src/cli/session.ts';
import { asOrdinaryUser } from './ordinary-user.ts';

export interface CycleRequest {
  /** install_config.yaml of a site where version 1 of environment `a`, alias `a`, is live. */
  readonly configFile: string;
  /** `a-1/<id>` to what `hello` of that release prints. The second is published, a rollback brings back the first. */
  readonly releases: readonly (readonly [name: string, greeting: string])[];
  readonly cycles: number;
  readonly readers: number;
  readonly home: string;
  readonly report?: (cycle: number) => void;
}

export interface CycleOutcome {
  readonly cycles: number;
  readonly reads: number;
  /** What a reader found that it must not: each a line. */
  readonly failures: readonly string[];
  /** Releases that readers were on. */
  readonly seen: ReadonlySet<string>;
  readonly seconds: number;
}

/**
 * A reader, as a login shell would be one. It prints a line for each round: the release that the module pins and what
 * `hello` says then; what `hello` says by the alias without a module; and the releases of farm, image and module of the
 * one generation that it looked up.
 */
const READER = `
. /etc/profile.d/modules.sh
module use "$1/modules"
cd /
while [[ ! -e $2 ]]; do
  (
    module load conda/a || echo "FAILED load"
    pinned=$(hello 2>&1)
    plain=$(env -u CONDENSE_RELEASE "$1/apps/conda_scripts/a.d/bin/hello" 2>&1)
    g=$1/apps/condense/$(readlink "$1/apps/condense/current")
    farm=$(readlink -f "$g/scripts/a.d") image=$(readlink -f "$g/envs/a-1.sqsh") module=$(readlink -f "$g/modules/conda/a-1")
    [[ $(<"$g/modules/conda/.modulerc") = *'"conda/a-1"'* ]] || farm="no alias"
    image=\${image%/*} module=\${module%/modules/*}
    printf '%s|%s|%s|%s|%s|%s\\n' "$CONDENSE_RELEASE" "$pinned" "$plain" "\${farm##*/}" "\${image##*/}" "\${module##*/}"
  )
done
`;

export async function runCycles(request: CycleRequest): Promise<CycleOutcome> {
  const { configFile, releases, cycles, readers, home, report } = request;
  const quiet = { write: () => true, isTTY: false, columns: 80 };
  const output = new Output({ stdout: quiet, stderr: quiet, env: {} }, { json: false, debug: false });
  const session = await openSession({ config: configFile }, output, new AbortController().signal);
  const stop = path.join(path.dirname(configFile), 'stop');
  await rm(stop, { force: true });
  const [program = '', ...words] = asOrdinaryUser(['bash', '-c', READER, 'reader', session.config.prefix, stop]);
  const started = performance.now();
  const running = Array.from({ length: readers }, () =>
    execa(program, words, {
      cwd: home,
      reject: false,
      all: true,
      extendEnv: false,
      env: { HOME: home, PATH: '/usr/local/bin:/usr/bin:/bin', LANG: 'C.UTF-8' },
    }),
  );
  try {
    for (let cycle = 1; cycle <= cycles; cycle++) {
      await runPublish(session, [releases[1]?.[0] ?? ''], { promote: [] });
      await runRollback(session, undefined, {});
      if (cycle % 50 === 0) await runGc(session, {});
      report?.(cycle);
    }
  } finally {
    await writeFile(stop, '');
  }
  const seconds = (performance.now() - started) / 1000;
  const lines = (await Promise.all(running)).flatMap(({ all }) => all.split('\n').filter((line) => line !== ''));
  const failures = lines.flatMap((line) => describeFailure(line, releases));
  return {
    cycles,
    reads: lines.length,
    failures,
    seen: new Set(lines.map((line) => line.split('|')[0] ?? '')),
    seconds,
  };
}

/** @returns the line with what is wrong with it, or nothing */
export function describeFailure(line: string, releases: CycleRequest['releases']): string[] {
  const [release = '', pinned = '', plain = '', farm = '', image = '', module = '', ...rest] = line.split('|');
  const known = new Map(releases);
  const ids = releases.map(([name]) => path.basename(name));
  const wrong = [
    ...(rest.length > 0 || module === '' ? ['no answer'] : []),
    ...(known.get(release) === pinned ? [] : [`the module pins ${release}, and the command is another one's`]),
    ...([...known.values()].includes(plain) ? [] : ['the alias leads to no release']),
    ...(ids.includes(farm) && farm === image && image === module ? [] : ['a generation shows several releases']),
  ];
  return wrong.length === 0 ? [] : [`${wrong.join('; ')}: ${line}`];
}

// `npm run bench:launcher`: what a command costs through the launcher, as ratios (docs/performance.md says what they mean).
//   node ci/measure-launcher.ts [--rounds <number>] [--crowds <number>] [--joined <rounds in sessions for each of them>]
//     [<install_config.yaml>]
import { existsSync, readFileSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { execa } from 'execa';
import { buildPlanner } from '../launcher/build.ts';
import type { LauncherFacts } from '../launcher/facts.ts';
import { renderLauncher } from '../launcher/render.ts';
import { readSiteConfig } from '../src/config/read-config.ts';
import { readCurrentGeneration } from '../src/release/site-state.ts';
import { Layout, type ReleaseLayout } from '../src/site/layout.ts';
import { renderTable } from './measure-build.ts';
import { countOperations } from './measure-operations.ts';
import { compareRounds, measureStartup, type Comparison } from './measure-startup.ts';
import { asOrdinaryUser, makeHome } from './ordinary-user.ts';

const root = path.resolve(import.meta.dirname, '..');
const NOTHING = '/bin/true';
const PASS = ['-c', 'pass'];

interface Bench {
  readonly facts: LauncherFacts;
  readonly release: ReleaseLayout;
  /** The real farm's. */
  readonly python: string;
  /** The runtime's words up to the program. */
  readonly plain: readonly string[];
  /** Directories of farms whose launchers end in a program that does nothing. */
  readonly hollow: Readonly<Record<'container' | 'session' | 'planner' | 'threeForks' | 'forked', string>>;
  /** The environment's files on the local disk, and words that start a program with them in their place. */
  readonly unpacked: readonly string[];
}

/** The facts stand in the launcher, in the line after the prelude. */
function readFacts(launcher: string): LauncherFacts {
  const [, json] = /^const CONDENSE_FACTS = (.*);$/m.exec(readFileSync(launcher, 'utf8')) ?? [];
  if (json === undefined) throw new Error(`${launcher} is no launcher of this version`);
  const inText = (_: string, value: unknown): unknown =>
    typeof value === 'string' ? Buffer.from(value, 'latin1').toString('utf8') : value;
  return JSON.parse(json, inText) as LauncherFacts;
}

/**
 * What a launcher in plain bash comes to that does the same for a common command: three forks, then exec. It reads no
 * configuration, as ours reads none; the one it is modelled on does, and stays as a parent.
 */
function renderThreeForks(facts: LauncherFacts): string {
  const image = `${facts.releasesDir}/${facts.releaseId}/env.sqsh`;
  const binds = [...facts.binds, ...facts.farmRoots].map((bind) => `"${bind}"`).join(' ');
  return `#!/bin/bash
self=$(readlink -f "$0")
name=$(basename "$0")
release=$(dirname "$self")
prefix=${facts.condaPrefix}
if [[ -e ${facts.marker} ]]; then exec -a "$0" "$prefix/bin/$name" "$@"; fi
[[ -r ${image} && -r ${facts.base} && -x ${facts.runtime} ]] || { echo "cannot start $name" >&2; exit 125; }
[[ ! -x $release/overrides/$name ]] || exec "$release/overrides/$name" "$@"
overlays=(--overlay "${image}:ro")
IFS=: read -ra more <<<"$CONTAINER_OVERLAY_PATH"
for overlay in "\${more[@]}"; do [[ -r $overlay ]] && overlays+=(--overlay "$overlay:ro"); done
shown=()
for bind in ${binds}; do [[ -e $bind ]] && shown+=("$bind"); done
IFS=: read -ra entries <<<"$PATH"
path=$prefix/bin
for entry in "\${entries[@]}"; do [[ $entry -ef $release/bin ]] || path+=:$entry; done
list=$(IFS=,; echo "\${shown[*]}")
export SINGULARITYENV_PATH=$path APPTAINERENV_PATH=$path
exec ${facts.runtime} -s exec --bind "$list" "\${overlays[@]}" ${facts.base} "$prefix/bin/$name" "$@"
`.replace('list=$(IFS=,; echo "${shown[*]}")', 'IFS=, list="${shown[*]}"');
}

/**
 * Our own launcher, all that it does and as it does it, but for the three things that a launcher in bash usually asks
 * other programs for: its name, its file, and that file's directory. The image must be in that directory.
 */
function renderForked(launcher: string): string {
  const forked = launcher
    .replace('\n__cl_name=${0##*\\/}\n', '\n__cl_name=$(basename "$0")\n__cl_self=$(readlink -f "$0")\n')
    .replace(/^__cl_release=\/.*$/m, '__cl_release=$(dirname "$__cl_self")');
  if ((forked.match(/=\$\((basename|readlink|dirname) /g) ?? []).length !== 3)
    throw new Error('the prelude has changed');
  return forked;
}

async function writeFarm(dir: string, name: string, launcher: string): Promise<string> {
  const farm = path.join(dir, name);
  await mkdir(farm);
  await writeFile(path.join(farm, 'launcher'), launcher);
  await chmod(path.join(farm, 'launcher'), 0o755);
  await symlink('launcher', path.join(farm, 'python3'));
  return farm;
}

async function prepare(release: ReleaseLayout, dir: string): Promise<Bench> {
  const facts = readFacts(release.launcher);
  const planner = await buildPlanner();
  const { sessions, ...without } = { ...facts, runtime: NOTHING };
  // The session's own runtime is looked at, not started: a joined command never starts it.
  const joined = { ...facts, ...(sessions ? { sessions: { ...sessions, enter: NOTHING } } : {}) };
  const binds = [...facts.binds, ...facts.farmRoots].join(',');
  const container = renderLauncher(without, planner);
  const forked = await writeFarm(dir, 'forked', renderForked(container));
  await symlink(release.image, path.join(forked, 'env.sqsh'));
  const files = path.join(dir, 'unpacked');
  await execa('unsquashfs', ['-quiet', '-no-progress', '-dest', files, release.image]);
  return {
    facts,
    release,
    python: release.command('python3'),
    plain: [facts.runtime, '-s', 'exec', '--bind', binds, '--overlay', `${release.image}:ro`, facts.base],
    hollow: {
      container: await writeFarm(dir, 'container', container),
      session: await writeFarm(dir, 'session', renderLauncher(joined, planner)),
      planner: await writeFarm(dir, 'planner', renderLauncher(without, planner, { deferAll: true })),
      threeForks: await writeFarm(dir, 'three-forks', renderThreeForks(without)),
      forked,
    },
    unpacked: [
      ...[facts.runtime, '-s', 'exec', '--bind', `${binds},${files}${facts.condaPrefix}:${facts.condaPrefix}`],
      facts.base,
    ],
  };
}

function planComparisons({ facts, python, plain, hollow, unpacked }: Bench, empty: string): Comparison[] {
  const farm = (dir: string): Comparison['command'] => ({ words: [`${dir}/python3`, ...PASS] });
  const nothing = { words: ['/bin/bash', '-p', '-c', 'exec true'] };
  const real = [`${facts.condaPrefix}/bin/python3`, ...PASS];
  // The same words before both, so that `env` costs both the same.
  const alone = ['/usr/bin/env', 'CONDENSE_SESSION=off'];
  return [
    { title: "prelude, to a container : `bash -p -c 'exec true'`", command: farm(hollow.container), against: nothing },
    { title: "prelude, to a session : `bash -p -c 'exec true'`", command: farm(hollow.session), against: nothing },
    {
      title: 'planner : an empty script on the same Node',
      command: farm(hollow.planner),
      against: { words: [facts.node, empty] },
    },
    {
      title: '`python3 -c pass` in a session : the same unpacked on the local disk',
      command: { words: [python, ...PASS] },
      against: { words: real, inside: unpacked },
    },
    {
      title: '`python3 -c pass` in a container of its own : the bare line of the runtime',
      command: { words: [...alone, python, ...PASS] },
      against: { words: [...alone, ...plain, ...real] },
    },
  ];
}

/** Milliseconds, and 1 where any of them failed. */
async function timeCrowd(
  home: string,
  count: number,
  atOnce: number,
  words: readonly string[],
): Promise<[number, number]> {
  // Each gets its number as a last argument; xargs ends with 123 where any of them failed.
  const script = 'count=$1 most=$2; shift 2; seq "$count" | xargs -n 1 -P "$most" "$@" >/dev/null || echo failed';
  const [program = '', ...args] = asOrdinaryUser([
    '/bin/bash',
    '-c',
    script,
    'crowd',
    `${count}`,
    `${atOnce}`,
    ...words,
  ]);
  const started = performance.now();
  const { stdout } = await execa(program, args, {
    cwd: home,
    extendEnv: false,
    env: { HOME: home, PATH: '/usr/local/bin:/usr/bin:/bin', LANG: 'C.UTF-8' },
  });
  return [performance.now() - started, stdout.split('\n').filter((line) => line === 'failed').length];
}

/** The two take turns; the first has `times` rounds for each of the second. */
async function compareCrowds(
  home: string,
  [count, atOnce]: readonly [number, number],
  first: readonly string[],
  second: readonly string[],
  rounds: number,
  times = 1,
): Promise<{ readonly spread: ReturnType<typeof compareRounds>; readonly failures: string }> {
  const [ones, others]: [number[], number[]] = [[], []];
  let [failed, otherFailed] = [0, 0];
  for (let round = 0; round < rounds; round += 1) {
    let sum = 0;
    for (let time = 0; time < times; time += 1) {
      const [millis, failures] = await timeCrowd(home, count, atOnce, first);
      sum += millis;
      failed += failures;
    }
    const [millis, failures] = await timeCrowd(home, count, atOnce, second);
    ones.push(sum / times);
    others.push(millis);
    otherFailed += failures;
  }
  const failures = `${failed} of ${times * rounds}, ${otherFailed} of ${rounds}`;
  return { spread: compareRounds(others, ones), failures };
}

const cells = (spread: ReturnType<typeof compareRounds>): string[] => [
  spread.median.toFixed(2),
  `${spread.lowerQuartile.toFixed(2)} to ${spread.upperQuartile.toFixed(2)}`,
];

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    options: {
      rounds: { type: 'string', default: '100' },
      crowds: { type: 'string', default: '5' },
      joined: { type: 'string', default: '20' },
    },
    allowPositionals: true,
  });
  const [rounds, crowds, joined] = [Number(values.rounds), Number(values.crowds), Number(values.joined)];
  const config = await readSiteConfig(path.resolve(positionals[0] ?? path.join(root, 'install_config.yaml')));
  const layout = new Layout(config, root);
  const [newest] = (await readCurrentGeneration(layout))?.versions ?? [];
  if (!newest) throw new Error(`nothing is published at ${layout.current}: npm run quickstart publishes something`);
  const dir = await mkdtemp(path.join(os.tmpdir(), 'condense-bench-'));
  const home = await makeHome();
  try {
    await chmod(dir, 0o755);
    const empty = path.join(dir, 'empty.cjs');
    await writeFile(empty, '');
    const bench = await prepare(layout.release(...newest), dir);
    const comparisons = planComparisons(bench, empty);
    // The session that the hollow launcher finds is the real one's.
    await timeCrowd(home, 1, 1, [bench.python, ...PASS]);
    const spreads = await measureStartup(home, comparisons, rounds);
    console.log(`## ${newest.join(', release ')}\n`);
    const rows = spreads.map((spread, index) => [comparisons[index]?.title ?? '', ...cells(spread)]);
    console.log(`${renderTable([`ratio, ${rounds} rounds`, 'median', 'quartiles'], rows)}\n`);

    const { container, threeForks, forked } = bench.hollow;
    const many = await compareCrowds(home, [400, 8], [`${container}/python3`], [`${threeForks}/python3`], crowds);
    const same = await compareCrowds(home, [400, 8], [`${container}/python3`], [`${forked}/python3`], crowds);
    // What a start costs, not what python costs.
    const small = ['openssl', 'xz', 'bzip2'].find((name) => existsSync(bench.release.command(name))) ?? 'python3';
    const words = { openssl: ['rand', '-hex'], python3: PASS }[small] ?? ['--version'];
    const real = [`${bench.facts.condaPrefix}/bin/${small}`, ...words];
    // 128 plain containers take many times as long: many rounds in sessions for one of theirs.
    const crowd = await compareCrowds(
      home,
      [128, 128],
      [bench.release.command(small), ...words],
      [...bench.plain, ...real],
      crowds,
      joined,
    );
    const head = [`times faster, ${crowds} rounds`, 'median', 'quartiles', 'rounds with a failure'];
    const crowdRows = [
      ['400 launches, 8 at a time: prelude : a simpler launcher of three forks', ...cells(many.spread), many.failures],
      ['400 launches, 8 at a time: prelude : itself with three forks', ...cells(same.spread), same.failures],
      [`128 at once, \`${small}\`: in a session : a container each`, ...cells(crowd.spread), crowd.failures],
    ];
    console.log(`${renderTable(head, crowdRows)}\n`);
    console.log(await countOperations(home, layout, bench));
  } finally {
    await rm(dir, { recursive: true, force: true });
    await rm(home, { recursive: true, force: true });
  }
}

if (import.meta.main) await main();

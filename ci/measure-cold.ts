// `npm run bench:cold`: the first import from an image and from the same tree unpacked, over a network file system with
// latency: sshfs to an sftp-server behind a proxy that delays each answer. Needs root, and `ci/setup bench`.
//   node ci/measure-cold.ts [--rounds <number>] [--delay <ms>] [--import <modules>] [<install_config.yaml>]
import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { createServer, type AddressInfo, type Server } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { execa } from 'execa';
import { writeImage } from '../src/build/pack.ts';
import { renderTable } from './measure-build.ts';
import { compareRounds } from './measure-startup.ts';
import { readPublishedImports } from './published-imports.ts';

const SFTP_SERVER = '/usr/lib/openssh/sftp-server';

/** Every mount is new, so nothing of it is in the client's memory; the server's is not looked at: its disk is the delay. */
const SCRIPT = `
set -eu
kind=$1 port=$2 export=$3 dir=$4; shift 4
mkdir -p "$dir/net" "$dir/image"
finish() {
  for mounted in "$dir/image" "$dir/net"; do
    for _ in {1..100}; do
      if ! mountpoint -q "$mounted" || umount "$mounted"; then break; fi
      sleep 0.1
    done
  done
}
trap finish EXIT
sshfs -o "directport=$port,ro,allow_other" "localhost:$export" "$dir/net"
case $kind in
  tree) lower=$dir/net/tree ;;
  *) squashfuse_ll -o allow_other "$dir/net/$kind.sqsh" "$dir/image"; lower=$dir/image ;;
esac
unshare --mount bash -c '
  mount -t overlay overlay -o "lowerdir=$1/opt:/opt" /opt || exit
  shift
  for run in cold warm; do
    started=$EPOCHREALTIME
    env -i HOME=/ PATH=/usr/bin:/bin LC_ALL=C.UTF-8 PYTHONDONTWRITEBYTECODE=1 "$@" </dev/null >&2 || exit
    ended=$EPOCHREALTIME
    echo $((\${ended/[!0-9]/} - \${started/[!0-9]/}))
  done' timer "$lower" "$@"
`;

/** An sftp-server for each connection, whose answers come late. Counts them. */
async function startServer(delayMs: number): Promise<{ server: Server; port: number; answers: () => number }> {
  let answers = 0;
  const server = createServer({ noDelay: true }, (socket) => {
    const child = spawn(SFTP_SERVER, { stdio: ['pipe', 'pipe', 'inherit'] });
    socket.pipe(child.stdin);
    child.stdout.on('data', (data: Buffer) => {
      answers += 1;
      setTimeout(() => socket.write(data), delayMs);
    });
    socket.on('error', () => child.kill());
    socket.on('close', () => child.kill());
    child.stdin.on('error', () => socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, port: (server.address() as AddressInfo).port, answers: () => answers };
}

const KINDS = ['tree', 'traced', 'unordered'] as const;
const TITLES = { tree: 'unpacked tree', traced: 'image, `order: traced`', unordered: 'image, `order: none`' };

interface Start {
  readonly coldSeconds: number;
  readonly warmSeconds: number;
  readonly answers: number;
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    options: {
      rounds: { type: 'string', default: '5' },
      delay: { type: 'string', default: '1' },
      import: { type: 'string', default: 'xarray' },
    },
    allowPositionals: true,
  });
  if (process.getuid?.() !== 0) throw new Error('mounting needs root: sudo npm run bench:cold');
  const { config, layout, name, id } = await readPublishedImports(positionals[0]);
  const dir = await mkdtemp(path.join(os.tmpdir(), 'condense-bench-'));
  const { server, port, answers } = await startServer(Number(values.delay));
  try {
    const shared = path.join(dir, 'export');
    await mkdir(shared);
    await execa('cp', ['--reflink=auto', layout.release(name, id).image, path.join(shared, 'traced.sqsh')]);
    await execa('unsquashfs', [
      '-quiet',
      '-no-progress',
      '-dest',
      path.join(shared, 'tree'),
      layout.release(name, id).image,
    ]);
    await writeImage(
      path.join(shared, 'tree'),
      path.join(shared, 'unordered.sqsh'),
      { ...config.squashfs, order: 'none' },
      undefined,
      [],
    );
    const command = [`${layout.condaPrefix(name)}/bin/python3`, '-c', `import ${values.import}`];
    console.log(
      `## ${name}, release ${id}: import ${values.import}, each answer of the server ${values.delay} ms late`,
    );
    const rounds: Record<(typeof KINDS)[number], Start>[] = [];
    for (let round = 0; round < Number(values.rounds); round++) {
      const one: Partial<Record<(typeof KINDS)[number], Start>> = {};
      for (const kind of KINDS) {
        const before = answers();
        const args = ['-c', SCRIPT, 'cold', kind, String(port), shared, path.join(dir, 'mounts'), ...command];
        const { stdout } = await execa('bash', args);
        const [cold = 0, warm = 0] = stdout.split('\n').map(Number);
        one[kind] = { coldSeconds: cold / 1e6, warmSeconds: warm / 1e6, answers: answers() - before };
      }
      rounds.push(one as Record<(typeof KINDS)[number], Start>);
    }
    console.log(renderRounds(rounds));
  } finally {
    server.close();
    await rm(dir, { recursive: true, force: true });
  }
}

function renderRounds(rounds: readonly Record<(typeof KINDS)[number], Start>[]): string {
  const median = (values: readonly number[]): number =>
    values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
  const rows = KINDS.map((kind) => {
    const starts = rounds.map((round) => round[kind]);
    const {
      median: ratio,
      lowerQuartile,
      upperQuartile,
    } = compareRounds(
      rounds.map((round) => round.tree.coldSeconds),
      starts.map(({ coldSeconds }) => coldSeconds),
    );
    return [
      TITLES[kind],
      median(starts.map(({ coldSeconds }) => coldSeconds)).toFixed(2),
      median(starts.map(({ warmSeconds }) => warmSeconds)).toFixed(2),
      String(median(starts.map((start) => start.answers))),
      kind === 'tree' ? '1' : `${ratio.toFixed(1)} (${lowerQuartile.toFixed(1)} to ${upperQuartile.toFixed(1)})`,
    ];
  });
  return renderTable(['from', 'cold s', 'warm s', 'answers', 'times as fast, cold'], rows);
}

if (import.meta.main) await main();

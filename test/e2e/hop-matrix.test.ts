// The matrix: from where a command is started, which command it is, and by what it gets to where it runs. Each cell has the
// release, the working directory, the variables, the standard input and the exit status that a user can expect.
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeFarSite, type FarSite } from './far-site.ts';

const FAR = '/opt/conda/far-1';
const NEAR = '/opt/conda/near-1';
const INPUT = 'of the caller';
const PROBE = `
import importlib.util, json, os, sys
print(json.dumps({
    'prefix': sys.prefix,
    'release': 'first' if importlib.util.find_spec('pip') else 'second',
    'cwd': os.getcwd(),
    'pin': os.environ.get('CONDENSE_RELEASE'),
    'conda': os.environ.get('CONDA_PREFIX'),
    'secret': os.environ.get('SECRET'),
    'args': sys.argv[1:],
    'stdin': sys.stdin.read(),
}), flush=True)
sys.exit(7)
`;
const PROBE_OF_HOST = `
use Cwd; use JSON::PP;
print encode_json({
    prefix => $^X, release => 'none', cwd => getcwd(), pin => $ENV{CONDENSE_RELEASE}, conda => $ENV{CONDA_PREFIX},
    secret => $ENV{SECRET}, args => \\@ARGV, stdin => join('', <STDIN>),
}), "\\n";
exit 7;
`;

const FROM = [
  'the host without a module',
  'the host with the module',
  'inside',
  "inside another environment's shell",
  'a container of somebody else',
  'a venv',
] as const;
type From = (typeof FROM)[number];
const COMMANDS = ['python3', 'the path of a farm', 'a script of the farm', 'a command of the host'] as const;
type Command = (typeof COMMANDS)[number];
const HOPS = ['none', 'ssh', 'pbs_tmrsh', 'srun', 'mpirun'] as const;
type Hop = (typeof HOPS)[number];

let far: FarSite;
beforeAll(async () => {
  far = await makeFarSite();
  const { home } = far;
  await writeFile(path.join(home, 'probe.py'), PROBE);
  await writeScript(path.join(home, 'script.py'), `#!${far.site.scripts('far', 'bin/python3')}\n${PROBE}`);
  await writeFile(path.join(home, 'probe.pl'), PROBE_OF_HOST);
  await far.run(`. ${home}/loaded; python3 -m venv --system-site-packages ${home}/venv`);
  // Two at a time: what they wait for is mostly not the processor.
  for (let at = 0; at < FROM.length; at += 2) await Promise.all(FROM.slice(at, at + 2).map(runAll));
}, 1_800_000);
afterAll(async () => {
  await far.remove();
});

async function writeScript(file: string, text: string): Promise<void> {
  await writeFile(file, text);
  await chmod(file, 0o755);
}

const farm = (name: string): string => far.site.scripts('far', `bin/${name}`);
/** Where no module put the farm on PATH, users write its path. */
const named = (from: From, name: string): string => (from === 'the host without a module' ? farm(name) : name);

function command(from: From, which: Command): string {
  if (which === 'a script of the farm') return `${far.home}/script.py`;
  if (which === 'a command of the host') return `${named(from, 'perl')} ${far.home}/probe.pl`;
  return `${which === 'python3' ? 'python3' : farm('python3')} ${far.home}/probe.py`;
}
function hop(from: From, by: Hop): string {
  const { config } = far.sshd;
  const hops: Readonly<Record<Hop, string>> = {
    none: '',
    ssh: `${named(from, 'ssh')} -F ${config} node1`,
    pbs_tmrsh: `${named(from, 'pbs_tmrsh')} -n node1 -l$(id -un)`,
    srun: `${named(from, 'srun')} -n 1`,
    mpirun: `${named(from, 'mpirun')} -n 1 --host node1`,
  };
  return hops[by];
}

const outputs = (from: From): string => path.join(far.home, 'out', String(FROM.indexOf(from)));
const cellName = (which: Command, by: Hop): string => `${COMMANDS.indexOf(which)}-${by}`;

/** All cells of one start, one after the other in one shell of that kind; what each of them does goes to files. */
async function runAll(from: From): Promise<void> {
  const { home, site, binds } = far;
  const out = outputs(from);
  await mkdir(out, { recursive: true });
  await chmod(out, 0o777);
  const cells = COMMANDS.flatMap((which) =>
    HOPS.map((by) => {
      const file = `${out}/${cellName(which, by)}`;
      const line = `${hop(from, by)} ${command(from, which)} a "b"`;
      return `${line} <${home}/input >${file}.out 2>${file}.err; echo $? >${file}.code`;
    }),
  );
  await writeFile(path.join(home, 'input'), INPUT);
  await writeFile(path.join(out, 'cells'), cells.join('\n'));
  const shell = `bash ${out}/cells`;
  const loaded = `. ${home}/loaded`;
  const base = `${site.prefix}/apps/condense/bases/*.sif`;
  const starts: Readonly<Record<From, string>> = {
    'the host without a module': shell,
    'the host with the module': `${loaded}; ${shell}`,
    inside: `${loaded}; ${site.scripts('far', 'launcher')} ${shell}`,
    "inside another environment's shell": `${loaded}; ${site.scripts('near', 'launcher')} ${shell}`,
    // Not as its first program: an apptainer that was moved finds its files only where its parent is not another one's starter.
    'a container of somebody else': `${loaded}; apptainer -s exec --home ${home} --env "PATH=$PATH" --bind ${binds.join(',')} ${base} bash -c '${shell}; true'`,
    'a venv': `${loaded}; . ${home}/venv/bin/activate; ${shell}`,
  };
  const { stderr } = await far.run(starts[from]);
  await writeFile(path.join(out, 'said'), stderr);
}

async function readCell(from: From, which: Command, by: Hop): Promise<{ readonly code: string; readonly out: string }> {
  const file = path.join(outputs(from), cellName(which, by));
  const read = (name: string): Promise<string> => readFile(name, 'utf8').catch(() => '');
  const [out, err, code, said] = await Promise.all(
    [`${file}.out`, `${file}.err`, `${file}.code`, path.join(outputs(from), 'said')].map(read),
  );
  if (!out?.startsWith('{'))
    throw new Error(`no answer, status ${code?.trim() ?? '?'}: ${out ?? ''}\n${err ?? ''}\n${said ?? ''}`);
  return { code: code?.trim() ?? '', out: out.split('\n', 1)[0] ?? '' };
}

/** Which environment answers, and what of the caller's it sees. */
function expected(from: From, which: Command, by: Hop): Readonly<Record<string, unknown>> {
  const prefix = prefixOf(from, which, by);
  const release = from === 'the host without a module' || prefix === NEAR ? 'second' : 'first';
  // Slurm takes the caller's environment along, mpirun its directory alone; ssh and PBS neither.
  const isHere = by === 'none' || by === 'srun';
  const isLoaded = from !== 'the host without a module' && !isOfOthersJob(from, by);
  return {
    prefix,
    release: prefix.startsWith('/usr') ? expect.any(String) : release,
    cwd: isHere || by === 'mpirun' ? path.join(far.home, 'work') : far.home,
    pin: isLoaded ? `far-1/${far.first}` : null,
    conda: isLoaded ? FAR : null,
    secret: isHere ? 'not to be seen' : null,
    args: ['a', 'b'],
    stdin: INPUT,
  };
}
/** The ssh that mpirun finds there is the one of the shell's environment, which does not know what far's module sets. */
const isOfOthersJob = (from: From, by: Hop): boolean =>
  by === 'mpirun' && from === "inside another environment's shell";

function prefixOf(from: From, which: Command, by: Hop): string {
  if (which === 'a command of the host') return '/usr/bin/perl';
  // On other nodes Open MPI puts its own directory first on PATH, and so the environment that it is of.
  if (which !== 'python3' || by === 'mpirun') return FAR;
  if (from === 'the host without a module') return '/usr';
  if (from === "inside another environment's shell") return NEAR;
  return from === 'a venv' ? path.join(far.home, 'venv') : FAR;
}

describe.each(FROM)('from %s', (from) => {
  describe.each(COMMANDS)('%s', (which) => {
    test.each(HOPS)('by way of %s', async (by) => {
      const { code, out } = await readCell(from, which, by);

      expect(JSON.parse(out)).toEqual(expected(from, which, by));
      expect(code).toBe('7');
    });
  });
});

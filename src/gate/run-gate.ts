// Runs the gate on a release through its real launcher. No answer in time, a crash, a wrong answer, no answer: each is a failure.
import { randomUUID } from 'node:crypto';
import path from 'node:path';
import pLimit from 'p-limit';
import type { GatePolicy } from '../config/site-config.ts';
import { describeVerdict, type GateReport } from '../release/gate-report.ts';
import type { ReleaseManifest } from '../release/manifest.ts';
import type { Layout } from '../site/layout.ts';
import { AppError } from '../system/app-error.ts';
import type { Report } from '../system/events.ts';
import { makeDir, removeTree } from '../system/files.ts';
import { killMarked } from '../system/marked-processes.ts';
import { countProcessors } from '../system/processors.ts';
import { describeEnd, minimalEnvironment, runToEnd, type CommandEnd } from '../system/run-command.ts';
import { checkMetadata, readPipCheck } from './check-metadata.ts';
import { checkScripts, parseScripts } from './check-scripts.ts';
import { judge, type Waiver } from './exceptions.ts';
import { openGateContainer, type GateContainer, type Mark } from './gate-container.ts';
import { listTopModules, parseInventory, parseRecordNames, type Inventory } from './inventory.ts';
import { INVENTORY_PROGRAM, RECORDS_PROGRAM, SCRIPTS_PROGRAM } from './inventory-program.ts';
import { planMpiHello, readMpiHello } from './mpi-hello.ts';
import { planImports } from './plan-imports.ts';
import type { RawResult } from './raw-result.ts';
import { runImports } from './run-imports.ts';
import { runUserTest, writeTests } from './user-tests.ts';

export interface GateRequest {
  readonly layout: Layout;
  /** Of the release, whose files are there. */
  readonly manifest: ReleaseManifest;
  readonly policy: GatePolicy;
  /** Beside the spec; it need not be there. */
  readonly tests: string;
  /** A directory of this gate's own: made and removed. */
  readonly scratch: string;
  /** nsenter(1), where the machine has it. */
  readonly nsenter?: string | undefined;
  readonly waivers: readonly Waiver[];
  readonly report: Report;
  readonly signal: AbortSignal;
}

/** @returns every check with what became of it; changes nothing in the release */
export async function runGate(request: GateRequest): Promise<GateReport> {
  const { manifest, policy, scratch, waivers, report, signal } = request;
  const began = performance.now();
  const time = new Date().toISOString();
  const today = time.slice(0, 10);
  const marks = new Marks();
  let raw: readonly RawResult[];
  try {
    await removeTree(scratch); // what a killed one left
    for (const dir of ['home', 'work', 'reports']) await makeDir(path.join(scratch, dir));
    raw = await new Gate(request, marks, today).run();
  } finally {
    killMarked(marks.all); // nothing of it goes on, whatever it has done to hide
    await removeTree(scratch);
  }
  signal.throwIfAborted();
  const { results, warnings } = judge(raw, policy.expectedFailures, waivers, today);
  for (const text of warnings) report({ type: 'warning', text });
  return {
    reportVersion: 1,
    release: `${manifest.fullName}/${manifest.id}`,
    imageSha256: manifest.image.sha256,
    time,
    seconds: secondsSince(began),
    results: [...results],
    verdict: describeVerdict(results),
  };
}

const secondsSince = (began: number): number => Math.round(performance.now() - began) / 1000;
const lastLines = (text: string): string => text.trimEnd().split('\n').slice(-20).join('\n');

type Work = () => Promise<readonly RawResult[]>;

/** Each check has a mark of its own: what ends one with its strays must leave the others, and the container. */
class Marks {
  readonly #id = randomUUID();
  #count = 0;

  /** What every mark begins with. */
  get all(): string {
    return `CONDENSE_GATE=${this.#id}/`;
  }

  readonly next = (): Mark => {
    const value = `${this.#id}/${this.#count++}/`; // closed, so that none is the beginning of another
    return { env: { CONDENSE_GATE: value }, group: `CONDENSE_GATE=${value}` };
  };
}

class Gate {
  readonly #request: GateRequest;
  readonly #today: string;
  readonly #marks: Marks;
  readonly #prefix: string;
  #env: Readonly<Record<string, string>>;

  constructor(request: GateRequest, marks: Marks, today: string) {
    this.#request = request;
    this.#marks = marks;
    this.#today = today;
    this.#prefix = request.layout.condaPrefix(request.manifest.fullName);
    const { scratch } = request;
    this.#env = {
      ...minimalEnvironment(),
      // What a program keeps in a home directory must not be the builder's, nor stay.
      HOME: path.join(scratch, 'home'),
      // What nobody can see yet starts no session of its own.
      CONDENSE_SESSION: 'off',
      // Both runtimes' names: the container shows the gate's directory, wherever that is.
      ...{ APPTAINER_BIND: scratch, SINGULARITY_BIND: scratch },
    };
  }

  async run(): Promise<readonly RawResult[]> {
    const first = await this.#checkLauncher();
    if (first.some(({ failure }) => failure !== undefined)) return first;
    const { layout, manifest, scratch, nsenter, signal } = this.#request;
    let container: GateContainer;
    try {
      container = await openGateContainer({
        ...{ release: layout.release(manifest.fullName, manifest.id), condaPrefix: this.#prefix, nsenter, signal },
        ...{
          marker: layout.marker(manifest.fullName),
          env: this.#env,
          mark: this.#marks.next,
          cwd: path.join(scratch, 'work'),
        },
      });
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      signal.throwIfAborted();
      return [...first, { name: 'the container starts', seconds: 0, failure: error.message, essential: true }];
    }
    try {
      return [...first, ...(await this.#checkInside(container))];
    } finally {
      await container.close();
    }
  }

  /** What users do first, each in a container of its own; and what activation gives, which all others get. */
  async #checkLauncher(): Promise<readonly RawResult[]> {
    const { layout, manifest } = this.#request;
    const release = layout.release(manifest.fullName, manifest.id);
    const mounts = await this.#runOutside('the image mounts', release.launcher, [
      '/usr/bin/test',
      '-r',
      layout.marker(manifest.fullName),
    ]);
    if (mounts.result.failure !== undefined) return [mounts.result];
    const results = [mounts.result];
    if (manifest.commands.includes('python3')) {
      const { result, end } = await this.#runOutside('python is the one of the image', release.command('python3'), [
        '-c',
        'import sys; print(sys.prefix)',
      ]);
      const answer = end.stdout.toString('utf8').replace(/\n$/, '');
      const failure =
        result.failure ??
        (answer === this.#prefix
          ? undefined
          : `expected ${JSON.stringify(this.#prefix)}, got ${JSON.stringify(answer.slice(0, 1000))}`);
      results.push({ ...result, failure });
    }
    const { result, end } = await this.#runOutside('activation', '/bin/bash', [
      ...['--norc', '--noprofile', '-c', '. "$1" && exec /usr/bin/env -0', 'bash'],
      release.activateFile('sh'),
    ]);
    results.push(result);
    const activated = parseEnvironment(end.stdout.toString('utf8'));
    // Inside, what programs start by name is the image's.
    const PATH = `${this.#prefix}/bin:${activated['PATH'] ?? this.#env['PATH'] ?? ''}`;
    this.#env = { ...activated, ...this.#env, PATH };
    return results;
  }

  async #runOutside(
    name: string,
    program: string,
    args: readonly string[],
  ): Promise<{ readonly result: RawResult; readonly end: CommandEnd }> {
    const { policy, signal } = this.#request;
    const began = performance.now();
    const { timeoutMs } = policy;
    const { env, group } = this.#marks.next();
    const end = await runToEnd({ program, args, cwd: '/', env: { ...this.#env, ...env }, timeoutMs, signal, group });
    signal.throwIfAborted();
    return { end, result: { ...judgeEnd(name, end, secondsSince(began), timeoutMs), essential: true } };
  }

  async #checkInside(container: GateContainer): Promise<readonly RawResult[]> {
    const { manifest, policy, report, signal } = this.#request;
    const hasPython = manifest.commands.includes('python3');
    const began = performance.now();
    const limit = pLimit(policy.processes ?? countProcessors(process.env));
    // It takes as long as the inventory, and needs nothing of it.
    const pip = limit(() => this.#checkPip(container, hasPython));
    pip.catch(() => undefined); // an interrupted gate waits for nothing
    let inventory: Inventory;
    const results: RawResult[] = [];
    try {
      inventory = await limit(() => this.#readInventory(container, hasPython));
      results.push({ name: 'inventory', seconds: secondsSince(began), essential: true });
      results.push(...checkMetadata(inventory, manifest, 0));
      results.push(...(await this.#checkScripts(container, inventory)));
    } catch (error) {
      signal.throwIfAborted();
      const failure = error instanceof Error ? error.message : String(error);
      return [
        ...results,
        { name: 'inventory', seconds: secondsSince(began), failure, essential: true },
        ...(await pip),
      ];
    }
    const { decided, work, warnings } = await this.#planWork(container, inventory, hasPython);
    for (const text of warnings) report({ type: 'warning', text });
    let done = 0;
    const found = await Promise.all(
      work.map((one) =>
        limit(async () => {
          signal.throwIfAborted();
          const some = await one();
          done++;
          report({ type: 'progress', stage: 'gate', done, total: work.length, unit: 'checks' });
          return some;
        }),
      ),
    );
    return [...results, ...decided, ...(await pip), ...found.flat()];
  }

  async #checkPip(container: GateContainer, hasPython: boolean): Promise<RawResult[]> {
    const { manifest, policy } = this.#request;
    const { timeoutMs } = policy;
    if (!hasPython) return [];
    const isRemoved = manifest.removed?.some((one) => one.package === 'pip') === true;
    if (isRemoved || !manifest.packages.some((one) => one.name === 'pip'))
      return [{ name: 'pip check', seconds: 0, skipped: { reason: 'the environment has no pip' } }];
    const began = performance.now();
    const args = ['-m', 'pip', '--disable-pip-version-check', '--no-cache-dir', 'check'];
    const end = await container.run({ program: container.python, args, timeoutMs });
    if (end.timedOut) return [judgeEnd('pip check', end, secondsSince(began), timeoutMs)];
    return readPipCheck(end.exitCode, `${end.stdout.toString('utf8')}\n${end.stderr}`, secondsSince(began));
  }

  async #readInventory(container: GateContainer, hasPython: boolean): Promise<Inventory> {
    const { timeoutMs } = this.#request.policy;
    const end = await container.run(
      hasPython
        ? { program: container.python, args: ['-c', INVENTORY_PROGRAM, this.#prefix], timeoutMs }
        : { program: '/bin/bash', args: ['--norc', '-c', RECORDS_PROGRAM, 'bash', this.#prefix], timeoutMs },
    );
    const { failure } = judgeEnd('inventory', end, 0, timeoutMs);
    if (failure !== undefined) throw new Error(failure);
    const text = end.stdout.toString('utf8');
    return hasPython ? parseInventory(text) : parseRecordNames(text);
  }

  async #checkScripts(container: GateContainer, { distributions }: Inventory): Promise<RawResult[]> {
    const { timeoutMs } = this.#request.policy;
    const began = performance.now();
    const args = ['--norc', '-c', SCRIPTS_PROGRAM, 'bash', this.#prefix];
    const end = await container.run({ program: '/bin/bash', args, timeoutMs });
    const { failure } = judgeEnd('scripts', end, 0, timeoutMs);
    if (failure !== undefined) throw new Error(`scripts: ${failure}`);
    const commands = new Set(distributions.flatMap(({ scripts }) => scripts.map(({ name }) => name)));
    return checkScripts(parseScripts(end.stdout.toString('utf8')), this.#prefix, commands, secondsSince(began));
  }

  async #planWork(
    container: GateContainer,
    inventory: Inventory,
    hasPython: boolean,
  ): Promise<{
    readonly decided: readonly RawResult[];
    readonly work: readonly Work[];
    readonly warnings: readonly string[];
  }> {
    const { layout, manifest, policy, tests, scratch } = this.#request;
    const { timeoutMs } = policy;
    const release = layout.release(manifest.fullName, manifest.id);
    const modules = new Set(listTopModules(inventory).map(({ module }) => module));
    const work: Work[] = [];
    const imports = planImports(inventory, policy, this.#today);
    const decided = [...imports.decided];
    // What takes long comes first, so that nobody waits for it alone at the end.
    const dir = path.join(scratch, 'tests');
    const userTests = await writeTests(tests, dir);
    if (userTests?.length === 0) {
      const failure = `${tests} has neither test_*.py nor *_test.py nor *.sh in it: remove it, or put a test there`;
      decided.push({ name: 'tests', seconds: 0, failure });
    }
    const run = { dir, reports: path.join(scratch, 'reports'), timeoutMs, hasPytest: modules.has('pytest') };
    for (const test of userTests ?? []) work.push(() => runUserTest(container, test, run));
    if (modules.has('mpi4py') && manifest.commands.includes('mpirun')) {
      work.push(async () => {
        const began = performance.now();
        return [
          readMpiHello(await container.run(planMpiHello(this.#prefix, timeoutMs)), secondsSince(began), timeoutMs),
        ];
      });
    }
    for (const command of policy.help) {
      const name = `help ${command}`;
      if (manifest.commands.includes(command))
        work.push(async () => {
          const { result } = await this.#runOutside(name, release.command(command), ['--help']);
          return [{ ...result, essential: undefined }];
        });
      else decided.push({ name, seconds: 0, failure: `the environment has no command ${command}` });
    }
    if (hasPython) work.push(...imports.groups.map((group) => () => runImports(container, group, timeoutMs)));
    // Imports that nothing can run must not pass in silence.
    else
      for (const { items } of imports.groups)
        decided.push(...items.map(({ name }) => ({ name, seconds: 0, failure: 'the environment has no python3' })));
    return { decided, work, warnings: imports.warnings };
  }
}

function judgeEnd(name: string, end: CommandEnd, seconds: number, timeoutMs: number): RawResult {
  if (end.exitCode === 0 && !end.timedOut) return { name, seconds };
  const how = end.code === 'ENOENT' ? 'cannot be started' : describeEnd(end, timeoutMs);
  return { name, seconds, failure: `${how}\n${lastLines(`${end.stdout.toString('utf8')}${end.stderr}`)}`.trimEnd() };
}

/** As `env -0` prints it, less what belongs to the shell that was asked. */
function parseEnvironment(text: string): Record<string, string> {
  const entries = text.split('\0').filter((entry) => entry.includes('=') && !/^(PWD|OLDPWD|SHLVL|_)=/.test(entry));
  return Object.fromEntries(
    entries.map((entry) => [entry.slice(0, entry.indexOf('=')), entry.slice(entry.indexOf('=') + 1)]),
  );
}

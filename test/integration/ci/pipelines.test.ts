// The pipelines that a site copies (ci/Jenkinsfile, github-actions.yml, gitlab-ci.yml): a real parser reads each, shellcheck
// its scripts, and every command of condense in them exists with its options.
import { readFile, realpath } from 'node:fs/promises';
import path from 'node:path';
import { execa } from 'execa';
import { beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';

const root = path.resolve(import.meta.dirname, '../../..');
const read = async (file: string): Promise<unknown> => parse(await readFile(path.join(root, 'ci', file), 'utf8'));

interface Step {
  readonly where: readonly string[];
  readonly step: string;
  readonly arguments: readonly unknown[];
}
/** The shell scripts of each stage or job, in order. */
type Scripts = Readonly<Record<string, readonly string[]>>;

/** Debian's groovy looks for Java in one place only, which another JDK of the machine does not have. */
async function readJenkinsfile(): Promise<readonly Step[]> {
  const java = await realpath('/usr/bin/java');
  const { stdout } = await execa(
    'groovy',
    [path.join(import.meta.dirname, 'read-pipeline.groovy'), path.join(root, 'ci/Jenkinsfile')],
    { env: { JAVA_HOME: path.resolve(java, '../..') }, timeout: 100_000 },
  );
  return stdout.split('\n').map((line) => JSON.parse(line) as Step);
}

interface Job {
  readonly steps: readonly { readonly run?: string; readonly uses?: string }[];
}
const stageOf = ({ where }: Step): string => where.find((one) => one.startsWith('stage '))?.slice(6) ?? 'after';

let steps: readonly Step[];
const scripts: Record<string, Scripts> = {};
beforeAll(async () => {
  steps = await readJenkinsfile();
  const shell = steps.filter(({ step }) => step === 'sh');
  scripts['Jenkinsfile'] = Object.fromEntries(
    [...new Set(shell.map(stageOf))].map((stage) => [
      stage,
      shell.filter((step) => stageOf(step) === stage).map((step) => String(step.arguments[0])),
    ]),
  );
  const { jobs } = (await read('github-actions.yml')) as { readonly jobs: Readonly<Record<string, Job>> };
  scripts['github-actions.yml'] = Object.fromEntries(
    Object.entries(jobs).map(([name, job]) => [name, job.steps.flatMap(({ run }) => run ?? [])]),
  );
  const gitlab = (await read('gitlab-ci.yml')) as Readonly<Record<string, { readonly script?: readonly string[] }>>;
  scripts['gitlab-ci.yml'] = Object.fromEntries(
    Object.entries(gitlab).flatMap(([name, job]) => (job.script ? [[name, job.script]] : [])),
  );
});

const all = (file: string): readonly string[] => Object.values(scripts[file] ?? {}).flat();
const commands = (lines: readonly string[] | undefined): readonly string[] =>
  (lines ?? []).flatMap((line) => /^condense (?:--\S+ )*(\w+)/.exec(line)?.[1] ?? []);

const helps = new Map<string, string>();
async function readHelp(command: string): Promise<string> {
  const main = path.join(root, 'src/cli/condense.ts');
  const help =
    helps.get(command) ?? (await execa(process.execPath, [main, command, '--help'], { timeout: 60_000 })).stdout;
  helps.set(command, help);
  return help;
}

const REVIEW = ['config', 'lock', 'lock', 'plan', 'build'];
describe('the Jenkinsfile', () => {
  it('checks, plans and builds a pull request, publishes main, and rolls back only where it is asked to', () => {
    const stages = scripts['Jenkinsfile'] ?? {};
    expect(Object.keys(stages)).toEqual(['Check', 'Plan', 'Build', 'Publish', 'Roll back', 'after']);
    expect(commands(['Check', 'Plan', 'Build'].flatMap((stage) => stages[stage] ?? []))).toEqual(REVIEW);
    expect(commands(stages['Publish'])).toEqual(['install']);
    expect(commands(stages['Roll back'])).toEqual(['rollback']);
    const conditions = (stage: string): unknown[] =>
      steps
        .filter(({ where }) => where.includes(`stage ${stage}`) && where.at(-1) === 'when')
        .map(({ step, arguments: [first] }) => (typeof first === 'string' ? `${step} ${first}` : step));
    for (const stage of ['Plan', 'Build']) expect(conditions(stage)).toEqual(['changeRequest']);
    for (const stage of ['Publish', 'Roll back']) expect(conditions(stage)).toEqual(['branch main', 'expression']);
  });
});

describe.each(['Jenkinsfile', 'github-actions.yml', 'gitlab-ci.yml'])('%s', (file) => {
  it('calls only commands and options that condense has', async () => {
    const lines = all(file).filter((line) => line.startsWith('condense '));
    expect(lines.length).toBeGreaterThan(6);
    for (const command of new Set(commands(lines))) {
      const help = await readHelp(command);
      for (const line of lines.filter((one) => commands([one])[0] === command))
        for (const [option] of line.matchAll(/(?<=[ "])--[a-z][a-z-]*/g)) expect(help).toContain(option);
    }
  });

  it('has only shell that shellcheck finds nothing in, with no value of the CI written into it', async () => {
    const text = all(file).join('\n');
    expect(text).not.toContain('${{');
    const { stdout } = await execa('shellcheck', ['--shell=bash', '-'], {
      input: text,
      reject: false,
      timeout: 60_000,
    });
    expect(stdout).toBe('');
  });
});

it.each(['github-actions.yml', 'gitlab-ci.yml'])('%s does what the Jenkinsfile does', (file) => {
  const { review, publish, rollback } = scripts[file] ?? {};
  expect(commands(review)).toEqual(REVIEW);
  expect(commands(publish).at(-1)).toBe('install');
  expect(commands(rollback)).toEqual(['rollback']);
});

// The pipelines that a site copies (ci/Jenkinsfile, github-actions.yml, gitlab-ci.yml) as what a shell runs for each of their stages.
import { readFile, realpath } from 'node:fs/promises';
import path from 'node:path';
import { execa } from 'execa';
import { parse } from 'yaml';

const root = path.resolve(import.meta.dirname, '../../..');

export interface JenkinsStep {
  readonly where: readonly string[];
  readonly step: string;
  readonly arguments: readonly unknown[];
}
export type PipelineFile = 'Jenkinsfile' | 'github-actions.yml' | 'gitlab-ci.yml';
/** The shell scripts of each stage or job, in order. */
export type Scripts = Readonly<Record<string, readonly string[]>>;

const read = async (file: string): Promise<unknown> => parse(await readFile(path.join(root, 'ci', file), 'utf8'));

/** Debian's groovy looks for Java in one place only, which another JDK of the machine does not have. */
export async function readJenkinsfile(): Promise<readonly JenkinsStep[]> {
  const java = await realpath('/usr/bin/java');
  const { stdout } = await execa(
    'groovy',
    [path.join(import.meta.dirname, 'read-pipeline.groovy'), path.join(root, 'ci/Jenkinsfile')],
    { env: { JAVA_HOME: path.resolve(java, '../..') }, timeout: 100_000 },
  );
  return stdout.split('\n').map((line) => JSON.parse(line) as JenkinsStep);
}

const stageOf = ({ where }: JenkinsStep): string => where.find((one) => one.startsWith('stage '))?.slice(6) ?? 'after';

interface Job {
  readonly steps: readonly { readonly run?: string; readonly uses?: string }[];
}

export async function readScripts(steps: readonly JenkinsStep[]): Promise<Readonly<Record<PipelineFile, Scripts>>> {
  const shell = steps.filter(({ step }) => step === 'sh');
  const { jobs } = (await read('github-actions.yml')) as { readonly jobs: Readonly<Record<string, Job>> };
  const gitlab = (await read('gitlab-ci.yml')) as Readonly<Record<string, { readonly script?: readonly string[] }>>;
  return {
    Jenkinsfile: Object.fromEntries(
      [...new Set(shell.map(stageOf))].map((stage) => [
        stage,
        shell.filter((step) => stageOf(step) === stage).map((step) => String(step.arguments[0])),
      ]),
    ),
    'github-actions.yml': Object.fromEntries(
      Object.entries(jobs).map(([name, job]) => [name, job.steps.flatMap(({ run }) => run ?? [])]),
    ),
    'gitlab-ci.yml': Object.fromEntries(
      Object.entries(gitlab).flatMap(([name, job]) => (job.script ? [[name, job.script]] : [])),
    ),
  };
}

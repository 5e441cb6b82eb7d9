// The pipelines that a site copies (ci/Jenkinsfile, github-actions.yml, gitlab-ci.yml): a real parser reads each, and
// shellcheck its scripts. test/e2e/pipelines.test.ts runs them.
import { execa } from 'execa';
import { beforeAll, describe, expect, it } from 'vitest';
import { readJenkinsfile, readScripts, type JenkinsStep, type PipelineFile, type Scripts } from './read-pipelines.ts';

let steps: readonly JenkinsStep[];
let scripts: Readonly<Record<PipelineFile, Scripts>>;
beforeAll(async () => {
  steps = await readJenkinsfile();
  scripts = await readScripts(steps);
});

const all = (file: PipelineFile): readonly string[] => Object.values(scripts[file]).flat();
const commands = (lines: readonly string[] | undefined): readonly string[] =>
  (lines ?? []).flatMap((line) => /^condense (?:--\S+ )*(\w+)/.exec(line)?.[1] ?? []);

const REVIEW = ['config', 'lock', 'lock', 'plan', 'build'];
describe('the Jenkinsfile', () => {
  it('checks, plans and builds a pull request, publishes main, and rolls back only where it is asked to', () => {
    const stages = scripts.Jenkinsfile;
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

describe.each(['Jenkinsfile', 'github-actions.yml', 'gitlab-ci.yml'] as const)('%s', (file) => {
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

it.each(['github-actions.yml', 'gitlab-ci.yml'] as const)('%s does what the Jenkinsfile does', (file) => {
  const { review, publish, rollback } = scripts[file];
  expect(commands(review)).toEqual(REVIEW);
  expect(commands(publish).at(-1)).toBe('install');
  expect(commands(rollback)).toEqual(['rollback']);
});

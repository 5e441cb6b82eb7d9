// The pipelines that a site copies, run as their CI runs them: each shell step of the three files, by the shell of that CI, in a
// checkout of the site's repository. One site; each pipeline brings the next version of a package.
import { once } from 'node:events';
import { access, mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeHome, runAsOrdinaryUser } from '../../ci/ordinary-user.ts';
import { readJenkinsfile, readScripts, type PipelineFile, type Scripts } from '../integration/ci/read-pipelines.ts';
import { writeHelloChannel } from './hello-channel.ts';
import { condense, TestSite } from './test-site.ts';

let site: TestSite;
let home: string;
let channel: string;
let repository: string;
let scripts: Readonly<Record<PipelineFile, Scripts>>;
let server: http.Server;
const comments: { readonly url: string | undefined; readonly token: unknown; readonly body: string }[] = [];

beforeAll(async () => {
  site = await TestSite.make();
  home = await makeHome();
  scripts = await readScripts(await readJenkinsfile());
  channel = await writeHelloChannel(site.dir, ['1.0', '1.1', '1.2', '1.3']);
  const bin = path.join(site.dir, 'bin');
  await mkdir(bin);
  // As docs/admin.md says.
  await symlink(condense, path.join(bin, 'condense'));
  await symlink(path.resolve(condense, '../../node_modules/node/bin/node'), path.join(bin, 'node'));
  // GitHub's own program, which Debian does not have: keeps what it was to say.
  const gh = `#!/bin/sh\n[ "$1 $2 $4 $6" = 'pr comment --repo --body-file' ] && cat -- "$7" >"$GH_SAID"\n`;
  await writeFile(path.join(bin, 'gh'), gh, { mode: 0o755 });
  // The API of GitLab, as far as curl asks it.
  server = http.createServer((request, response) => {
    let body = '';
    request.on('data', (data: Buffer) => (body += data.toString('utf8')));
    request.on('end', () => {
      const token = request.headers['private-token'];
      comments.push({ url: request.url, token, body: new URLSearchParams(body).get('body') ?? '' });
      response.writeHead(201).end('{}');
    });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');

  repository = path.join(site.dir, 'repository');
  await mkdir(repository);
  await git('init', '--quiet', '--initial-branch=main', '.');
  const dirs = `prefix: ${site.prefix}\nadmin_dir: ${site.admin}\nstaging_dir: ${path.join(site.dir, 'staging')}\n`;
  const environments = `environments:\n  a: { version: '1', stable: '1' }\n  b: { version: '1', stable: '1' }\n`;
  await writeFile(path.join(repository, 'install_config.yaml'), `site: test\n${dirs}${environments}`);
  await writeFile(path.join(repository, '.gitignore'), '/artifacts/\n');
  for (const name of ['a', 'b']) await writeSpec(name, '1.0');
  await run(['condense lock', 'condense install --all'], ['bash', '-e']);
  await commit('Begin');
});
afterAll(async () => {
  server.close();
  await site.remove();
  await rm(home, { recursive: true, force: true });
});

const environment = (): Record<string, string> => ({
  PATH: `${path.join(site.dir, 'bin')}:/usr/local/bin:/usr/bin:/bin`,
  HOME: site.dir,
  LANG: 'C.UTF-8',
  ...{ GIT_AUTHOR_NAME: 'anna', GIT_AUTHOR_EMAIL: 'anna@example.org' },
  ...{ GIT_COMMITTER_NAME: 'anna', GIT_COMMITTER_EMAIL: 'anna@example.org' },
});
const git = (...args: string[]) =>
  execa('git', args, { cwd: repository, env: environment(), extendEnv: false, timeout: 30_000 });

async function commit(title: string): Promise<void> {
  await git('add', '--all');
  await git('commit', '--quiet', `--message=${title}`);
}

async function writeSpec(name: string, version: string): Promise<void> {
  const dir = path.join(repository, 'environments', name);
  await mkdir(dir, { recursive: true });
  const text = `name: ${name}\nchannels: ['${channel}']\ndependencies: [hello=${version}]\n`;
  await writeFile(path.join(dir, 'environment.yml'), text);
}

/** Each step by a shell of its own, until one fails. */
async function run(
  steps: readonly string[],
  shell: readonly string[],
  { cwd = repository, env = {} }: { readonly cwd?: string; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<{ readonly exitCode: number | undefined; readonly said: string }> {
  expect(steps.length).toBeGreaterThan(0);
  let said = '';
  for (const step of steps) {
    const file = path.join(site.dir, 'step');
    await writeFile(file, step);
    const [program = '', ...args] = shell;
    const ran = await execa(program, [...args, file], {
      ...{ cwd, extendEnv: false, reject: false, timeout: 120_000, all: true },
      env: { ...environment(), ...env },
    });
    said += `$ ${step}\n${ran.all}\n`;
    if (ran.exitCode !== 0) return { exitCode: ran.exitCode, said };
  }
  return { exitCode: 0, said };
}

/** What a user gets. */
const look = async (): Promise<string> => (await runAsOrdinaryUser(home, [site.scripts('a', 'bin/hello')])).stdout;
const says = (version: string): string => `hello ${version} from /opt/conda/a-1`;
const stagesOf = (file: PipelineFile, ...names: readonly string[]): readonly string[] =>
  names.flatMap((name) => scripts[file][name] ?? []);

interface Pipeline {
  readonly file: PipelineFile;
  readonly version: string;
  readonly shell: readonly string[];
  readonly review: readonly string[];
  readonly main: readonly string[];
  readonly rollback: readonly string[];
  readonly env: () => Readonly<Record<string, string>>;
  /** What the pull request was told; nothing, where a step of a plugin tells it what is in the artefacts. */
  readonly comment?: () => string | Promise<string>;
}

describe.each<Pipeline>([
  {
    ...{ file: 'Jenkinsfile', version: '1.1', shell: ['sh', '-xe'] }, // durable-task's default
    ...{
      review: ['Check', 'Plan', 'Build'],
      main: ['Check', 'Publish', 'after'],
      rollback: ['Check', 'Roll back', 'after'],
    },
    env: () => ({ CHANGE_TARGET: 'main' }),
  },
  {
    ...{ file: 'github-actions.yml', version: '1.2', shell: ['bash', '-e'] },
    ...{ review: ['review'], main: ['publish'], rollback: ['rollback'] },
    env: () => ({
      ...{ GITHUB_BASE_REF: 'main', NUMBER: '7', GITHUB_REPOSITORY: 'site/environments' },
      ...{ GH_TOKEN: 'secret', GH_SAID: path.join(site.dir, 'said') },
    }),
    comment: () => readFile(path.join(site.dir, 'said'), 'utf8'),
  },
  {
    ...{ file: 'gitlab-ci.yml', version: '1.3', shell: ['bash', '-eo', 'pipefail'] },
    ...{ review: ['review'], main: ['publish'], rollback: ['rollback'] },
    env: () => ({
      ...{ CI_MERGE_REQUEST_TARGET_BRANCH_NAME: 'main', CI_PROJECT_ID: '5', CI_MERGE_REQUEST_IID: '7' },
      CI_API_V4_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/v4`,
      CONDENSE_COMMENT_TOKEN: 'secret',
    }),
    comment: () => {
      expect(comments).toMatchObject([{ url: '/api/v4/projects/5/merge_requests/7/notes', token: 'secret' }]);
      return comments[0]?.body ?? '';
    },
  },
])('$file', ({ file, version, shell, review, main, rollback, env, comment }) => {
  let checkout: string;
  it('refuses a pull request whose lock does not fit', async () => {
    await git('checkout', '--quiet', '-b', `take-${version}`);
    await writeSpec('a', version);
    await commit(`Take hello ${version}`);
    checkout = path.join(site.dir, `checkout-${version}`);
    await execa('git', ['clone', '--quiet', repository, checkout], { env: environment(), timeout: 30_000 });

    const { exitCode, said } = await run(stagesOf(file, ...review), shell, { cwd: checkout, env: env() });

    expect(exitCode, said).toBe(3);
    expect(said).toContain('LOCK_STALE');
  });

  it('builds and gates what the pull request changes, comments what that is, and shows users nothing', async () => {
    await run(['condense lock a'], ['bash', '-e']);
    await commit(`Lock hello ${version}`);
    await execa('git', ['pull', '--quiet'], { cwd: checkout, env: environment(), timeout: 30_000 });
    const live = await look();

    const { exitCode, said } = await run(stagesOf(file, ...review), shell, { cwd: checkout, env: env() });

    expect(exitCode, said).toBe(0);
    expect(said).toMatch(/a-1 release \S+ was built and passed the gate/);
    expect(said).toMatch(/b-1 release \S+ is up to date: nothing to build/);
    const written = await readFile(path.join(checkout, 'artifacts/review.md'), 'utf8');
    expect(written).toMatch(new RegExp(`^ {4}.*hello \\S+ .*-> ${version.replace('.', '\\.')}`, 'm'));
    if (comment) expect(await comment()).toBe(written);
    for (const kept of ['plan.json', 'a-1/gate.xml', 'a-1/manifest.json'])
      await access(path.join(checkout, 'artifacts', kept));
    expect(await look()).toBe(live);
  });

  it('publishes what is merged, without another build', async () => {
    await git('checkout', '--quiet', 'main');
    await git('merge', '--quiet', '--no-edit', `take-${version}`);
    await execa('git', ['pull', '--quiet', 'origin', 'main'], { cwd: checkout, env: environment(), timeout: 30_000 });

    const { exitCode, said } = await run(stagesOf(file, ...main), shell, { cwd: checkout });

    expect(exitCode, said).toBe(0);
    expect(said).not.toContain('was built');
    expect(await look()).toBe(says(version));
  });

  it('rolls back one environment, and takes what was typed for a name, whatever it says', async () => {
    const steps = stagesOf(file, ...rollback);
    const bad = { ENVIRONMENT: `$(touch ${site.dir}/owned); touch ${site.dir}/owned`, GENERATION: '' };
    const refused = await run(steps, shell, { cwd: checkout, env: bad });
    expect(refused.exitCode, refused.said).toBe(2);
    await expect(access(path.join(site.dir, 'owned'))).rejects.toThrow('ENOENT');
    expect(await look()).toBe(says(version));

    const env = { ENVIRONMENT: 'a', GENERATION: '1' };
    const { exitCode, said } = await run(steps, shell, { cwd: checkout, env });
    expect(exitCode, said).toBe(0);
    expect(await look()).toBe(says('1.0'));
  });
});

// `condense doctor user` in a home directory: real shells read its files before and after. conda itself is a stand-in: a
// program that says when it is started, and prints a function, as `conda shell.<shell> hook` does.
import { chmod, mkdir, mkdtemp, readdir, readFile, readlink, rm, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { describeEntry } from '../../../src/release/journal.ts';
import { publishFace } from '../../../src/release/publish.ts';
import { writeHomeEdit } from '../../../src/user/home-edit.ts';
import { measureLogin } from '../../../src/user/login-cost.ts';
import { probeUser, type UserState } from '../../../src/user/probe-user.ts';
import { makeFace } from '../../unit/release/make-face.ts';
import { MadeSite } from '../release/made-site.ts';

let dir: string;
let home: string;
beforeAll(async () => {
  dir = await mkdtemp(path.join(os.tmpdir(), 'condense-home-'));
});
afterAll(() => rm(dir, { recursive: true }));

const at = (...names: string[]): string => path.join(home, ...names);
const put = async (name: string, text: string): Promise<void> => {
  await mkdir(path.dirname(at(name)), { recursive: true });
  await writeFile(at(name), text);
};
const probe = (more: Partial<Parameters<typeof probeUser>[0]> = {}): Promise<UserState> =>
  probeUser({ home, env: {}, directories: [], sitePrefix: undefined, signal: new AbortController().signal, ...more });
const codes = ({ findings }: UserState): string[] =>
  findings.flatMap(({ code, name }) => (code === undefined ? [] : [`${code} ${path.relative(home, name)}`]));

const block = (lines: readonly string[]): string =>
  ['# >>> conda initialize >>>', ...lines, '# <<< conda initialize <<<', ''].join('\n');
/** As `conda init` writes them (conda, core/initialize.py). */
const shBlock = (shell: string): string =>
  block([
    `__conda_setup="$('${at('conda/bin/conda')}' 'shell.${shell}' 'hook' 2> /dev/null)"`,
    'if [ $? -eq 0 ]; then',
    '    eval "$__conda_setup"',
    'else',
    `    export PATH="${at('conda/bin')}:$PATH"`,
    'fi',
    'unset __conda_setup',
  ]);
const fishBlock = (): string =>
  block([
    `if test -f ${at('conda/bin/conda')}`,
    `    eval ${at('conda/bin/conda')} "shell.fish" "hook" $argv | source`,
    'end',
  ]);

async function putConda(): Promise<void> {
  await put(
    'conda/bin/conda',
    `#!/bin/sh\necho "$@" >> ${at('started')}\ncase $1 in\n` +
      `shell.fish) echo 'function conda; echo conda does $argv; end' ;;\n` +
      `*) echo 'conda() { echo "conda does $*"; }' ;;\nesac\n`,
  );
  await chmod(at('conda/bin/conda'), 0o755);
}
const readStarted = async (): Promise<string[]> => {
  const text = await readFile(at('started'), 'utf8').catch(() => '');
  await rm(at('started'), { force: true });
  return text.split('\n').filter((line) => line !== '');
};
/** @returns what a new terminal prints for that */
const logIn = async (shell: string, command: string): Promise<string> => {
  const args = ['-l', '-i', '-c', command];
  const env = { HOME: home, PATH: '/usr/bin:/bin' };
  return (await execa(shell, args, { env, extendEnv: false, detached: true, timeout: 30_000 })).stdout;
};
const fixAll = async (): Promise<void> => {
  for (const edit of (await probe()).edits) await writeHomeEdit(edit, dir);
};

beforeEach(async () => {
  home = await mkdtemp(path.join(dir, 'user-'));
});

describe('condense doctor user', () => {
  it('finds nothing in an empty home directory', async () => {
    const { edits, ...state } = await probe();

    expect(codes({ ...state, edits })).toEqual([]);
    expect(edits).toEqual([]);
  });

  it.each([
    ['bash', '.bashrc', () => shBlock('bash')],
    ['zsh', '.zshrc', () => shBlock('zsh')],
    ['fish', '.config/fish/config.fish', fishBlock],
  ] as const)(
    'in %s, what it mends starts conda when it is first used, and not before',
    async (shell, name, makeBlock) => {
      await putConda();
      await put('.bash_profile', '. ~/.bashrc\n');
      const old = `# caf\u00e9\n${makeBlock()}`;
      await put(name, old);
      await logIn(shell, 'exit');
      expect(await readStarted()).toHaveLength(1);
      expect(codes(await probe())).toEqual([
        `CONDA_AT_LOGIN ${name}:2-${old.split('\n').length - 1}`,
        'CONDA_ACTIVATES_BASE .condarc',
      ]);

      await fixAll();

      expect(await logIn(shell, 'echo ready')).toBe('ready');
      expect(await readStarted()).toEqual([]);
      expect(await logIn(shell, `conda activate 'a b'; conda deactivate`)).toBe(
        'conda does activate a b\nconda does deactivate',
      );
      expect(await readStarted()).toHaveLength(1);
      expect(codes(await probe())).toEqual([]);
      expect(await readFile(at(`${name}.before-condense`), 'utf8')).toBe(old);
      expect(await readFile(at('.condarc'), 'utf8')).toBe('auto_activate_base: false\n');
    },
  );

  it('finds that the block for tcsh starts conda only when it is used, as it does, and leaves it as it is', async () => {
    await putConda();
    const [conda, file] = [at('conda/bin/conda'), at('conda/etc/profile.d/conda.csh')];
    // As conda's own: an alias that reads the file again, with what was typed.
    const alias = `alias conda 'set condaArguments = (\\!*); source "${file}"'`;
    await put(
      'conda/etc/profile.d/conda.csh',
      `if ( "\`alias conda\`" == "" ) then\n  ${alias}\nelse\n  ${conda} $condaArguments\n  echo ran\nendif\n`,
    );
    const lines = [
      `if ( -f "${file}" ) then`,
      `    source "${file}"`,
      'else',
      `    setenv PATH "${at('b')}:$PATH"`,
      'endif',
    ];
    await put('.tcshrc', block(lines));

    const said = await execa('/usr/bin/tcsh', ['-c', 'echo ready; conda activate x'], {
      ...{ env: { HOME: home, PATH: '/usr/bin:/bin' }, extendEnv: false, timeout: 30_000 },
    });

    expect(said.stdout).toMatch(/^ready\n[^]*ran$/);
    expect(await readStarted()).toEqual(['activate x']);
    const { findings, edits } = await probe();
    expect(findings).toContainEqual(
      expect.objectContaining({ status: 'ok', found: 'conda starts only when it is used' }),
    );
    expect(codes({ findings, edits })).toEqual([]);
    expect(edits).toEqual([]);
  });

  it('where conda is gone since, its command is missing, and nothing runs for ever', async () => {
    await put('.bashrc', shBlock('bash'));
    await put('.bash_profile', '. ~/.bashrc\n');
    await fixAll();

    expect(await logIn('bash', 'conda activate x; echo $?')).toBe('127');
  });

  it('changes what a link leads to, keeps its mode, and makes each copy under a name of its own', async () => {
    await put('dotfiles/bashrc', 'export PYTHONPATH=/a\n');
    await chmod(at('dotfiles/bashrc'), 0o600);
    await symlink('dotfiles/bashrc', at('.bashrc'));
    await fixAll();
    await put('dotfiles/bashrc', 'if true; then\n  export PYTHONHOME=/a\nfi\n');
    await fixAll();

    expect(await readlink(at('.bashrc'))).toBe('dotfiles/bashrc');
    expect(await logIn('bash', '. ~/.bashrc; echo ${PYTHONHOME-none}')).toBe('none');
    expect((await readdir(at('dotfiles'))).sort()).toEqual([
      'bashrc',
      'bashrc.before-condense',
      'bashrc.before-condense-2',
    ]);
    const { stdout } = await execa('stat', ['-c', '%a', at('dotfiles/bashrc'), at('dotfiles/bashrc.before-condense')], {
      timeout: 10_000,
    });
    expect(stdout).toBe('600\n600');
  });

  it('leaves a file as it is that its shell would not read any more, and one that was changed meanwhile', async () => {
    await put('.bashrc', 'cat << X\nexport PYTHONPATH=/a\nX\n');
    const [edit] = (await probe()).edits;
    if (edit === undefined) throw new Error('nothing planned');
    await expect(writeHomeEdit({ ...edit, after: 'if true; then\n' }, dir)).rejects.toThrow('would not read it');
    await put('.bashrc', 'something else\n');
    await expect(writeHomeEdit(edit, dir)).rejects.toThrow('changed meanwhile');
    await symlink('/nowhere', at('.condarc'));
    const made = { name: '.condarc', file: at('.condarc'), before: undefined, after: 'x' };
    await expect(writeHomeEdit(made, dir)).rejects.toThrow('cannot be read');

    expect(await readFile(at('.bashrc'), 'utf8')).toBe('something else\n');
  });

  it('names PYTHONPATH and PYTHONHOME of the environment, with what takes them away', async () => {
    const { findings } = await probe({ env: { PYTHONPATH: '/a', PYTHONHOME: '' } });

    expect(findings.filter(({ code }) => code !== undefined)).toMatchObject([
      { name: 'PYTHONPATH', code: 'PYTHON_VARIABLE_SET', fix: 'unset PYTHONPATH' },
    ]);
  });

  it('names venvs whose Python is gone, wherever they are kept, and those only', async () => {
    const venv = async (name: string, python: string): Promise<void> => {
      await put(`${name}/pyvenv.cfg`, 'home = /opt/conda/a-1/bin\n');
      await mkdir(at(name, 'bin'));
      await symlink(python, at(name, 'bin/python3'));
      await symlink('python3', at(name, 'bin/python'));
    };
    await venv('whole', process.execPath);
    await venv('work/project/.venv', '/apps/conda_scripts/a-1.d/bin/python3');
    await venv('.virtualenvs/circle', 'python');
    await venv('too/deep/to/be/found', '/nowhere');

    expect(codes(await probe())).toEqual(['VENV_BROKEN .virtualenvs/circle', 'VENV_BROKEN work/project/.venv']);
    expect(codes(await probe({ directories: [at('too/deep')] }))).toContain('VENV_BROKEN too/deep/to/be/found');
  });

  it('names packages of pip install --user that hide those of what is published', async () => {
    const site = await MadeSite.make();
    try {
      const { id } = await site.addRelease({ packages: 2, python: '3.11.7' });
      await publishFace(site.layout, makeFace({ 'a-1': id }), describeEntry('publish', 'a-1'));
      for (const name of ['3.11/site-packages/Package_1-0.9.dist-info', '3.11/site-packages/mine-1.dist-info'])
        await put(`.local/lib/python${name}/METADATA`, '');
      await put('.local/lib/python3.10/site-packages/package_0-0.9.dist-info/METADATA', '');
      const hidden = {
        ...{ name: at('.local/lib/python3.11'), code: 'PACKAGES_HIDDEN' },
        found: expect.stringContaining('package-1 0.9, of pip install --user, would hide those of a-1') as string,
      };
      const loaded = { PATH: `/usr/bin:${site.layout.publicFarm('a-1')}` };

      for (const where of [{ sitePrefix: site.layout.prefix }, { env: loaded }])
        expect((await probe(where)).findings).toMatchObject([hidden]);
      expect(codes(await probe())).toEqual([]);
    } finally {
      await site.remove();
    }
  });
});

describe('what a login costs', () => {
  it('is a ratio of the same shell with the files and with what is planned for them', async () => {
    await putConda();
    await put('.bashrc', shBlock('bash'));
    await put('.bash_profile', '. ~/.bashrc\n');
    const { edits } = await probe();

    const cost = await measureLogin({ home, shell: '/bin/bash', edits, tempDir: dir });

    expect(cost).toMatchObject({ kind: 'measured', shell: '/bin/bash', runs: 5 });
    expect(await readStarted()).toHaveLength(5);
    expect((await readdir(dir)).filter((name) => name.startsWith('condense-login-'))).toEqual([]);
  });

  it('of files that never come to an end is said to have none, and nothing of theirs stays', async () => {
    await put('.bashrc', 'export PYTHONPATH=/a\nsetsid -f sleep 987654\nsleep 987653 & sleep 987652\n');
    await put('.bash_profile', '. ~/.bashrc\n');
    const { edits } = await probe();

    const cost = await measureLogin({ home, shell: '/bin/bash', edits, tempDir: dir, limitMs: 1000 });

    expect(cost).toEqual({ kind: 'endless', shell: '/bin/bash', limitSeconds: 1 });
    expect((await execa('pgrep', ['-f', '^sleep 98765'], { reject: false, timeout: 10_000 })).stdout).toBe('');
  });
});

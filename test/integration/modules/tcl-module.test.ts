import { mkdtemp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { quoteTcl } from '../../../src/modules/quote-tcl.ts';
import { renderTclModule, type ModuleFacts } from '../../../src/modules/tcl-module.ts';
import { renderModulerc } from '../../../src/modules/modulerc.ts';

const NASTY = 'a$b [exit 3] "q" {br}ace} \\ end; # `x` \t $(id) é 漢 🌍 ~ %';
let dir: string;

beforeAll(async () => {
  dir = await mkdtemp(path.join(os.tmpdir(), 'condense-modules-'));
});
afterAll(async () => {
  await rm(dir, { recursive: true, force: true });
});

/** What Tcl makes of words, as the UTF-8 bytes of each. */
async function evaluateInTcl(words: readonly string[]): Promise<string[]> {
  const script = `fconfigure stdout -translation binary\nforeach word [list ${words.join(' ')}] { puts -nonewline [encoding convertto utf-8 $word]; puts -nonewline "\\0" }\n`;
  const { stdout } = await execa('tclsh', { input: script, stripFinalNewline: false, env: { LC_ALL: 'C' } });
  return stdout.split('\0').slice(0, -1);
}

describe('quoteTcl', () => {
  it('gives tclsh back every text as it was', async () => {
    await fc.assert(
      fc.asyncProperty(
        // Beyond the BMP Tcl 8.6 keeps surrogate halves, which its own converter writes as CESU-8.
        fc.array(
          fc.string({
            unit: fc
              .nat({ max: 0xffff })
              .filter((code) => code > 0 && (code < 0xd800 || code > 0xdfff))
              .map((code) => String.fromCharCode(code)),
          }),
          { minLength: 1, maxLength: 40 },
        ),
        async (texts) => {
          expect(await evaluateInTcl(texts.map(quoteTcl))).toEqual(texts);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('stays one word inside the braces of a procedure body', async () => {
    const { stdout } = await execa('tclsh', { input: `proc p { } {\n puts ${quoteTcl('} [exit 3] {')}\n}\np\n` });

    expect(stdout).toBe('} [exit 3] {');
  });

  it('refuses NUL, which no variable can hold', () => {
    expect(() => quoteTcl('a\0b')).toThrow(RangeError);
  });
});

describe('renderTclModule', () => {
  const facts: ModuleFacts = {
    site: 'test site',
    family: 'conda',
    fullName: 'analysis3-26.11',
    releaseId: '20261121T000000Z-00000000',
    farm: '/site/apps/conda_scripts/analysis3-26.11.d/bin',
    variables: { OMPI_MCA_orte_launch_agent: '/site/orted' },
    activation: {
      changes: [
        { kind: 'set', name: 'GREETING', value: NASTY.replace('🌍', '') },
        { kind: 'prepend', name: 'PERL5LIB', entries: ['/e/a', '/e/b'] },
        { kind: 'append', name: 'INFOPATH', entries: ['/e/info'] },
        { kind: 'unset', name: 'PYTHONHOME' },
      ],
      warnings: [],
    },
    packages: ['numpy 2.1', 'xarray 2026.1'],
  };

  beforeAll(async () => {
    const template = await readFile(new URL('../../../modules-templates/environment.tcl.hbs', import.meta.url), 'utf8');
    await mkdir(path.join(dir, 'conda'));
    await writeFile(path.join(dir, 'conda/analysis3-26.11'), renderTclModule(template, facts));
    await writeFile(
      path.join(dir, 'conda/.modulerc'),
      renderModulerc('conda', new Map([['analysis3', 'analysis3-26.11']])),
    );
  });

  /** Runs a script in a bash that has the `module` command. */
  const inBash = async (
    script: string,
    env: Record<string, string> = {},
  ): Promise<{ stdout: string; stderr: string; exitCode?: number }> =>
    await execa('bash', ['-c', `. /etc/profile.d/modules.sh\nmodule use ${dir}\n${script}`], {
      extendEnv: false,
      env: { PATH: '/usr/bin:/bin', HOME: dir, LC_ALL: 'C.UTF-8', ...env },
    });

  it('sets, prepends, appends and unsets as activation does, through the alias', async () => {
    const { stdout } = await inBash(
      'module load conda/analysis3; printf "%s\\0" "$GREETING" "$PERL5LIB" "$INFOPATH" "${PYTHONHOME-unset}" "${PATH%%:*}" "$CONDENSE_RELEASE" "$LOADEDMODULES"',
      { PERL5LIB: '/mine', INFOPATH: '/mine', PYTHONHOME: '/mine' },
    );

    expect(stdout.split('\0').slice(0, -1)).toEqual([
      NASTY.replace('🌍', ''),
      '/e/a:/e/b:/mine',
      '/mine:/e/info',
      'unset',
      facts.farm,
      'analysis3-26.11/20261121T000000Z-00000000',
      'conda/analysis3-26.11',
    ]);
  });

  it('leaves no trace in PATH and lists after unloading', async () => {
    const { stdout } = await inBash(
      'module load conda/analysis3; module unload conda/analysis3; echo "$PATH $PERL5LIB ${GREETING-gone}"',
      {
        PERL5LIB: '/mine',
      },
    );

    expect(stdout).toBe('/usr/bin:/bin /mine gone');
  });

  it('shows the package list in module help and a line in module whatis', async () => {
    const { stderr } = await inBash('module help conda/analysis3; module whatis conda/analysis3');

    expect(stderr).toContain('  numpy 2.1\n  xarray 2026.1');
    expect(stderr).toContain('Conda environment analysis3-26.11 of test site');
  });
});

// What each module system makes of odd values in each shell: the table of limits is as wide as it has to be.
import { mkdtemp, mkdir, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { quoteLua } from '../../../src/modules/quote-lua.ts';
import { quoteTcl } from '../../../src/modules/quote-tcl.ts';
import { findModuleLimit, findShellLimits } from '../../../src/modules/shell-limits.ts';
import { kindOf, runModuleSession, SYSTEMS_AND_SHELLS } from '../../modules/module-shells.ts';

let dir: string;

beforeAll(async () => {
  dir = await mkdtemp(path.join(os.tmpdir(), 'condense-limits-'));
  await mkdir(path.join(dir, 'odd'));
});
afterAll(async () => {
  await rm(dir, { recursive: true, force: true });
});

/** The module odd/<number> sets one variable for each value. */
async function writeModules(values: readonly string[], number: number): Promise<void> {
  const tcl = values.map((value, index) => `setenv ODD_${index} ${quoteTcl(value)}\n`);
  const lua = values.map((value, index) => `setenv("ODD_${index}", ${quoteLua(value)})\n`);
  await writeFile(path.join(dir, 'odd', String(number)), `#%Module1.0\n${tcl.join('')}`);
  await writeFile(path.join(dir, 'odd', `${number}.lua`), lua.join(''));
}

const everyByte = [...Array(127).keys()].map((code) => String.fromCharCode(code + 1));
const pieces = [
  ...everyByte,
  '$HOME',
  '${x}',
  '$(id)',
  '`id`',
  '{a,b}',
  '~root',
  '!!',
  '[a-z]',
  ' ',
  ':=',
  ':~',
  'é',
  '漢',
];

it.each(SYSTEMS_AND_SHELLS)('%s gives %s every value that is not among its limits', async (system, shell) => {
  const known = [
    ...everyByte.flatMap((byte) => [byte, `a${byte}b`, `${byte}ls`, `ls${byte}`]),
    ...fc
      .sample(fc.array(fc.constantFrom(...pieces), { maxLength: 12 }), { numRuns: 150, seed: 7 })
      .map((parts) => parts.join('')),
  ];
  const values = known.filter(
    (value) =>
      findModuleLimit(value) === undefined &&
      !(findShellLimits(kindOf(system), [value]) as readonly string[]).includes(shell),
  );
  const number = SYSTEMS_AND_SHELLS.findIndex((pair) => pair[0] === system && pair[1] === shell);
  await writeModules(values, number);

  const { environments, stderr } = await runModuleSession(system, shell, dir, [`module load odd/${number}`]);

  const got = values.map((value, index) => [
    value,
    Buffer.from(environments[1]?.[`ODD_${index}`] ?? '', 'latin1').toString('utf8'),
  ]);
  expect(
    got.filter(([value, arrived]) => value !== arrived),
    stderr,
  ).toEqual([]);
});

it.each([
  ['Environment Modules 5', 'zsh', '=ls'],
  ['Environment Modules 5', 'tcsh', 'a [b] c'],
  ['Environment Modules 5', 'fish', 'a[b'],
  ['Lmod', 'zsh', '=ls'],
  ['Lmod', 'csh', 'a!b'],
  ['Lmod', 'tcsh', 'a{b'],
  ['Lmod', 'fish', 'a\rb'],
] as const)('%s still cannot give %s the value %j: when it can, the limit goes', async (system, shell, value) => {
  expect(findShellLimits(kindOf(system), [value])).toContain(shell);
  await writeModules([value], 99);

  const { environments } = await runModuleSession(system, shell, dir, ['module load odd/99']);

  expect(environments[1]?.['ODD_0']).not.toBe(value);
});

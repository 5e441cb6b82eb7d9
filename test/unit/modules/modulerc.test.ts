import { expect, it } from 'vitest';
import { renderLuaModulerc, renderModulerc } from '../../../src/modules/modulerc.ts';

const aliases = new Map([
  ['analysis3-unstable', 'analysis3-26.12'],
  ['analysis3', 'analysis3-26.11'],
]);

it('gives each alias its version, sorted by alias', () => {
  expect(renderModulerc('conda', aliases)).toBe(
    [
      '#%Module1.0',
      '# Written by condense for this generation; do not edit.',
      'module-version "conda/analysis3-26.11" "analysis3"',
      'module-version "conda/analysis3-26.12" "analysis3-unstable"',
      '',
    ].join('\n'),
  );
});

it('says the same to Lmod', () => {
  expect(renderLuaModulerc('conda', aliases)).toBe(
    [
      '-- Written by condense for this generation; do not edit.',
      'module_version("conda/analysis3-26.11", "analysis3")',
      'module_version("conda/analysis3-26.12", "analysis3-unstable")',
      '',
    ].join('\n'),
  );
});

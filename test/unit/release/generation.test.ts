import { expect, it } from 'vitest';
import { parseGenerationRecord, renderGenerationRecord } from '../../../src/release/generation-record.ts';
import { checkFace, compareFaces, planGeneration } from '../../../src/release/generation.ts';
import { makeLayout } from '../make-layout.ts';
import { makeFace as face } from './make-face.ts';
import { problemsOf } from './thrown.ts';

const record = {
  ...({ recordVersion: 1, generation: 7, time: '2026-11-21T00:00:00.000Z', restores: 5 } as const),
  ...{ action: 'rollback', subject: 'a', user: 'alice', host: 'login1' },
  changes: [{ kind: 'alias', name: 'a', from: 'a-2', to: 'a-1' } as const],
};

it('tells faces apart by versions and aliases, not by their order', () => {
  expect(compareFaces(face({ x: '1', y: '2' }), face({ y: '2', x: '1' }))).toBe(true);
  expect(compareFaces(face({ x: '1' }), face({ x: '2' }))).toBe(false);
  expect(compareFaces(face({ x: '1' }, { a: 'x' }), face({ x: '1' }))).toBe(false);
});

it('refuses a face with an alias that leads nowhere or has the name of a version, and names each', () => {
  const wrong = face({ 'a-1': 'x', 'b-1': 'y' }, { a: 'a-2', 'b-1': 'b-1', b: 'b-1' });

  const problems = problemsOf(() => {
    checkFace(wrong);
  });

  expect(problems.map(({ code, message }) => `${code} ${message}`)).toEqual([
    expect.stringContaining('ALIAS_DANGLING alias a would lead nowhere'),
    expect.stringContaining('ALIAS_TAKEN b-1 would be an alias'),
  ]);
});

it('writes a record anew as it was, whatever the order of its keys', () => {
  const turned = Object.fromEntries(Object.entries(record).toReversed()) as typeof record;
  const text = renderGenerationRecord(turned);

  expect(text).toBe(renderGenerationRecord(record));
  expect(renderGenerationRecord(parseGenerationRecord(text) ?? record)).toBe(text);
});

it('takes what is no record for none, since links alone tell what is shown', () => {
  for (const text of ['', '{}', '[1]', '{"recordVersion":2}']) expect(parseGenerationRecord(text)).toBeUndefined();
});

it('plans the links that users know, relative to each other', () => {
  const plan = planGeneration(
    makeLayout('/site'),
    {
      ...face({ 'a-1': '20261121T000000Z-00000000' }, { a: 'a-1' }),
      number: 7,
      restores: 5,
    },
    record,
  );

  const at = '/site/apps/condense/generations/7';
  expect(plan.links).toEqual([
    { path: `${at}/envs/a-1.sqsh`, target: '../../../releases/a-1/20261121T000000Z-00000000/env.sqsh' },
    { path: `${at}/envs/a-1`, target: '/opt/conda/a-1' },
    { path: `${at}/scripts/a-1.d`, target: '../../../releases/a-1/20261121T000000Z-00000000' },
    { path: `${at}/modules/conda/a-1`, target: '../../../../releases/a-1/20261121T000000Z-00000000/modules/a-1' },
    {
      path: `${at}/modules/conda/a-1.lua`,
      target: '../../../../releases/a-1/20261121T000000Z-00000000/modules/a-1.lua',
    },
    { path: `${at}/jupyter/kernels/a-1`, target: '../../../../releases/a-1/20261121T000000Z-00000000/kernels/a-1' },
    { path: `${at}/activate/a-1`, target: '../../../releases/a-1/20261121T000000Z-00000000/prefix' },
    { path: `${at}/envs/a`, target: 'a-1' },
    { path: `${at}/scripts/a.d`, target: 'a-1.d' },
    { path: `${at}/activate/a`, target: 'a-1' },
    { path: `${at}/restores`, target: '../5' },
  ]);
  expect(plan.files.map((file) => file.path)).toEqual([
    `${at}/modules/conda/.modulerc`,
    `${at}/modules/conda/.modulerc.lua`,
    `${at}/generation.json`,
  ]);
  expect(parseGenerationRecord(plan.files[2]?.text ?? '')).toEqual(record);
});

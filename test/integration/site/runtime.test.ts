// The container runtime of the machine that the tests run on.
import path from 'node:path';
import { expect, it } from 'vitest';
import { readRuntime } from '../../../src/site/runtime.ts';
import { makeConfig } from '../../unit/make-layout.ts';

it('looks up a bare name on PATH and gives its absolute path, which launchers need', async () => {
  const found = await readRuntime(makeConfig('/site'));

  const named = await readRuntime(makeConfig('/site', { runtimeProgram: path.basename(found.program) }));

  expect(path.isAbsolute(named.program)).toBe(true);
  expect(named).toEqual(found);
});

it('names the program that the configuration asks for and that is not there', async () => {
  await expect(readRuntime(makeConfig('/site', { runtimeProgram: '/opt/none/apptainer' }))).rejects.toMatchObject({
    exit: 4,
    problems: [{ code: 'RUNTIME_MISSING', message: 'there is no program /opt/none/apptainer' }],
  });
});

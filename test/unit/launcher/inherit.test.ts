// What of the caller's environment does not come along, by rule.
import { expect, test } from 'vitest';
import type { InheritFacts } from '../../../launcher/facts.ts';
import { inheritEnvironment } from '../../../launcher/inherit.ts';

const rules: InheritFacts = {
  drop: ['PYTHONHOME'],
  lists: [{ name: 'LD_LIBRARY_PATH', drop: ['/apps'], keep: ['/apps/openmpi'] }],
  defaults: { PYTHONNOUSERSITE: '1' },
};
const inherit = (...environment: string[]): readonly string[] =>
  inheritEnvironment([...environment, 'PYTHONNOUSERSITE='], rules).filter((entry) => entry !== 'PYTHONNOUSERSITE=');

test('a variable that is dropped goes, one that only begins like it stays, and so do all others as they are', () => {
  expect(inherit('PYTHONHOME=/x', 'PYTHONHOMES=1', 'A=b=c', 'PYTHONPATH=/y')).toEqual([
    'PYTHONHOMES=1',
    'A=b=c',
    'PYTHONPATH=/y',
  ]);
});

test('L21: of LD_LIBRARY_PATH go the directories of host modules, but for those of the MPI that is kept, and the order stays', () => {
  expect(inherit('LD_LIBRARY_PATH=/apps/openmpi/5/lib:/home/u/lib:/apps/netcdf/lib:/apps:/appsx')).toEqual([
    'LD_LIBRARY_PATH=/apps/openmpi/5/lib:/home/u/lib:/appsx',
  ]);
  expect(inherit('LD_LIBRARY_PATH=/apps/netcdf/lib')).toEqual([]);
  expect(inherit('LD_LIBRARY_PATH=')).toEqual(['LD_LIBRARY_PATH=']);
});

test('L20: user site packages are switched off only where the caller says nothing of them', () => {
  expect(inheritEnvironment([], rules)).toEqual(['PYTHONNOUSERSITE=1']);
  expect(inheritEnvironment(['PYTHONNOUSERSITE='], rules)).toEqual(['PYTHONNOUSERSITE=']);
});

test('what another container has left goes, and APPTAINER_BIND of a caller who comes from none stays', () => {
  expect(inherit('APPTAINER_BIND=/a', 'SINGULARITY_NV=1')).toEqual(['APPTAINER_BIND=/a', 'SINGULARITY_NV=1']);
  expect(inherit('APPTAINER_BIND=/a', 'APPTAINER_NV=1', 'SINGULARITY_CONTAINER=/x.sif', 'APPTAINER_NAME=x')).toEqual([
    'APPTAINER_NV=1',
  ]);
});

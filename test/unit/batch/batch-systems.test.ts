// The command lines of Slurm and PBS as they are started, and what is read from answers that were recorded.
import { describe, expect, it } from 'vitest';
import type { Submission } from '../../../src/batch/batch-system.ts';
import { pbs } from '../../../src/batch/pbs.ts';
import { slurm } from '../../../src/batch/slurm.ts';

const submission: Submission = {
  ...{ name: 'condense-build', tasks: 3, script: '/admin/jobs/1/script', dir: '/admin/jobs/1' },
  options: ['-l', 'mem=20gb'],
  log: (index) => `/admin/50%/jobs/1/${index}.log`,
};

describe('Slurm', () => {
  it('gets the site’s options first, then an array whose messages go beside the script', () => {
    expect(slurm.planSubmit({ ...submission, atOnce: 2, options: ['--time=02:00:00'] })).toEqual({
      program: 'sbatch',
      args: [
        ...['--time=02:00:00', '--parsable', '--job-name=condense-build', '--array=1-3%2', '--chdir=/admin/jobs/1'],
        ...['--output=/admin/50%%/jobs/1/%a.log', '--error=/admin/50%%/jobs/1/%a.log', '/admin/jobs/1/script'],
      ],
    });
    expect(slurm.planQuery('12').args.at(-1)).toBe('--jobs=12');
    expect(slurm.planCancel('12')).toEqual({ program: 'scancel', args: ['12'] });
  });

  it('says the number of the job alone, or with its cluster, and nothing else', () => {
    expect(slurm.parseJobId('4711\n')).toBe('4711');
    expect(slurm.parseJobId('4711;north\n')).toBe('4711');
    expect(slurm.parseJobId('sbatch: warning\n4711\n')).toBeUndefined();
  });

  it('tells of each task whether it waits, runs or ended, and why', () => {
    const answer =
      '1|COMPLETED|None|n1\n2|TIMEOUT|TimeLimit|n2\n3|RUNNING|None|n3\n4|PENDING|Resources|\n5|NODE_FAIL|None|\n';
    expect([...slurm.parseStates(answer)]).toEqual([
      [1, { state: 'ended', how: 'itself', said: 'COMPLETED' }],
      [2, { state: 'ended', how: 'walltime', said: 'TIMEOUT, TimeLimit' }],
      [3, { state: 'running', where: 'n3' }],
      [4, { state: 'waiting', why: 'Resources' }],
      [5, { state: 'ended', how: 'node', said: 'NODE_FAIL' }],
    ]);
    expect(slurm.parseStates('').size).toBe(0);
  });

  it('knows what it wrote where it ended a task itself', () => {
    const log = (why: string): string =>
      `slurmstepd: error: *** JOB 12 ON n1 CANCELLED AT 2026-11-21T18:33:31 ${why}***`;
    expect(slurm.parseLog(log('DUE TO TIME LIMIT '))).toBe('walltime');
    expect(slurm.parseLog(log(''))).toBeUndefined();
    expect(slurm.parseLog('slurmstepd: error: Detected 1 oom-kill event(s) in StepId=12.batch.')).toBe('memory');
  });
});

describe('PBS', () => {
  it('gets the site’s options first, then an array whose messages go beside the script', () => {
    expect(pbs.planSubmit({ ...submission, atOnce: 2 })).toEqual({
      program: 'qsub',
      args: [
        ...['-l', 'mem=20gb', '-S', '/bin/bash', '-N', 'condense-build', '-J', '1-3%2'],
        ...['-j', 'oe', '-o', '/admin/50%/jobs/1/^array_index^.log', '/admin/jobs/1/script'],
      ],
    });
    expect(pbs.planQuery('12[].server')).toMatchObject({ program: 'qstat', args: ['-x', '-t', '12[].server'] });
    expect(pbs.planCancel('12[].server')).toEqual({ program: 'qdel', args: ['12[].server'] });
  });

  it('gets one task as a job, since an array has two at least', () => {
    expect(pbs.planSubmit({ ...submission, tasks: 1, options: [] }).args).toEqual([
      ...['-S', '/bin/bash', '-N', 'condense-build', '-j', 'oe', '-o', '/admin/50%/jobs/1/1.log'],
      '/admin/jobs/1/script',
    ]);
  });

  it('says the number of the job with its server', () => {
    expect(pbs.parseJobId('1234.pbs-1.example.org\n')).toBe('1234.pbs-1.example.org');
    expect(pbs.parseJobId('1234[].server\n')).toBe('1234[].server');
    expect(pbs.parseJobId('qsub: queue is closed')).toBeUndefined();
  });

  it('tells of each task whether it waits, runs or ended', () => {
    const answer = `Job id            Name             User              Time Use S Queue
----------------  ---------------- ----------------  -------- - -----
1234[].server     condense-build   anna                     0 B workq
1234[1].server    condense-build   anna              00:00:07 X workq
1234[2].server    condense-build   anna              00:00:03 R workq
1234[3].server    condense-build   anna                     0 Q workq
`;
    expect([...pbs.parseStates(answer)]).toEqual([
      [1, { state: 'ended', how: 'unknown', said: 'state X' }],
      [2, { state: 'running', where: '' }],
      [3, { state: 'waiting', why: 'queued' }],
    ]);
    expect([...pbs.parseStates('1234567.server-w* condense-build   anna     00:00:01 F workq').keys()]).toEqual([1]);
  });

  it('knows what it wrote where it ended a task itself', () => {
    expect(pbs.parseLog('=>> PBS: job killed: walltime 3611 exceeded limit 3600\n')).toBe('walltime');
    expect(pbs.parseLog('=>> PBS: job killed: mem 21000000kb exceeded limit 20971520kb\n')).toBe('memory');
    expect(pbs.parseLog('exiting')).toBeUndefined();
  });
});

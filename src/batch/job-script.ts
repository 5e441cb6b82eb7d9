// The script of a job: says what it runs, keeps what that prints in files of their own, and its exit status in another.
import type { JobLayout } from '../site/layout.ts';
import { quoteSh } from '../modules/quote-shell.ts';

export interface Task {
  /** For people: the environment that it is for, or the command. */
  readonly name: string;
  /** A program and its arguments, byte for byte. */
  readonly words: readonly string[];
}

export interface JobScript {
  readonly title: string;
  readonly tasks: readonly Task[];
  /** The directory that the tasks run in. */
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  /** The variable of the job that has a directory on the node's own disk. */
  readonly scratch?: string | undefined;
}

/**
 * The number of the task comes from Slurm or PBS. These signal every process of a job: the shell passes nothing on, since a
 * second signal would end condense before it has cleaned up, and waits for it.
 */
export function renderJobScript({ title, tasks, cwd, env, scratch }: JobScript, job: JobLayout): string {
  const quoted = (kind: 'out' | 'err' | 'status'): string =>
    quoteSh(job.taskFile('\0', kind)).replace('\0', () => `'"$index"'`);
  return [
    '#!/bin/bash',
    `# ${title.replaceAll(/\p{C}/gu, ' ')}`,
    'index=${SLURM_ARRAY_TASK_ID:-${PBS_ARRAY_INDEX:-1}}',
    `rm -f -- ${quoted('status')}`, // of a run after which the job was put back into the queue
    `exec >>${quoted('out')} 2>>${quoted('err')}`,
    'finish() {',
    `  printf '%s\\n' "$1" >${quoted('status')}.tmp && mv -- ${quoted('status')}.tmp ${quoted('status')}`,
    '  exit "$1"',
    '}',
    `fail() { printf 'error  %s\\nhint   %s\\ncode   JOB_NOT_STARTED\\n' "$1" "$2" >&2; finish 4; }`,
    // For locks: whoever has this is a child of this script. A shell of salloc has SLURM_JOB_ID, too, and may outlive its job.
    'export CONDENSE_JOB_CLUSTER=${SLURM_CLUSTER_NAME-}',
    ...Object.entries(env).map(([name, value]) => `export ${name}=${quoteSh(value)}`),
    ...(scratch === undefined
      ? []
      : [
          `[[ -d \${${scratch}-} ]] || fail "${scratch} is no directory of node $HOSTNAME, but scheduler.scratch says so" 'condense config show'`,
          `export TMPDIR=$${scratch}`,
        ]),
    `cd -- ${quoteSh(cwd)} || fail "node $HOSTNAME cannot enter the directory that the job is for" ${quoteSh(`ls -ld ${cwd}`)}`,
    'case $index in',
    ...tasks.map(({ words }, at) => `  ${at + 1}) words=(${words.map(quoteSh).join(' ')}) ;;`),
    `  *) fail "there is no task $index" 'condense doctor' ;;`,
    'esac',
    'trap : INT TERM XCPU USR1 USR2',
    'exec 3>&2 2>/dev/null', // where bash would say "Killed": the status says it
    '"${words[@]}" </dev/null 2>&3 3>&-',
    'finish "$?"',
    '',
  ].join('\n');
}

// How many processors this process may use: what the kernel allows, or less where its job has less.
import { availableParallelism } from 'node:os';

/**
 * The kernel's answer has cpusets, affinity and the quota of a cgroup in it (uv_available_parallelism). A batch system that
 * binds nobody to its processors only says how many a job has on this node: sbatch(1) SLURM_CPUS_ON_NODE, of PBS NCPUS
 * (PBS Professional User's Guide, "Environment variables"), which others set as well, so only in a job of PBS.
 */
export function countProcessors(env: Readonly<Record<string, string | undefined>>): number {
  const said = env['SLURM_JOB_ID'] !== undefined ? env['SLURM_CPUS_ON_NODE'] : env['PBS_JOBID'] && env['NCPUS'];
  const allowed = availableParallelism();
  return said !== undefined && /^[1-9]\d{0,5}$/.test(said) ? Math.min(allowed, Number(said)) : allowed;
}

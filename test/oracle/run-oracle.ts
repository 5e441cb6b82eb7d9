// Runs the independent installer (install.py) on the archives of a lock.
import path from 'node:path';
import { z } from 'zod';
import type { LockedPackage } from '../../src/conda/lock.ts';
import { runCommand } from '../../src/system/run-command.ts';

const oracleResult = z.object({
  clobbers: z.array(z.object({ path: z.string(), packages: z.array(z.string()) })),
  bytecode: z.array(z.string()),
  rewritten: z.array(z.string()),
  python: z.string().nullable(),
});
export type OracleResult = z.infer<typeof oracleResult>;

/** @param packages in any order, each with its archive */
export async function runOracle(request: {
  readonly packages: readonly (LockedPackage & { readonly archive: string })[];
  readonly prefixOnDisk: string;
  readonly prefixInside: string;
  readonly specs: readonly string[];
}): Promise<OracleResult> {
  const { packages, prefixOnDisk, prefixInside, specs } = request;
  const { stdout } = await runCommand({
    program: 'python3',
    args: ['-I', path.join(import.meta.dirname, 'install.py')],
    input: JSON.stringify({ packages, prefix_on_disk: prefixOnDisk, prefix_inside: prefixInside, specs }),
  });
  return oracleResult.parse(JSON.parse(stdout.toString('utf8')));
}

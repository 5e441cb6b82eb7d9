// pip's installation report (pip documentation, "Installation Report"; its download_info is that of PEP 610). Pure.
import { z } from 'zod';
import { normalizeDistributionName } from '../conda/wheel-file.ts';

const Report = z.object({
  // 0 is pip 22.2's, which has the same fields.
  version: z.enum(['0', '1']),
  install: z.array(
    z.object({
      download_info: z.object({
        url: z.string(),
        archive_info: z
          .object({ hash: z.string().optional(), hashes: z.record(z.string(), z.string()).optional() })
          .optional(),
        vcs_info: z.object({ vcs: z.string(), commit_id: z.string() }).optional(),
        dir_info: z.object({}).optional(),
        subdirectory: z.string().optional(),
      }),
      is_direct: z.boolean(),
      requested: z.boolean(),
      metadata: z.object({
        name: z.string(),
        version: z.string(),
        requires_dist: z.array(z.string()).optional(),
      }),
    }),
  ),
});

export interface ReportedDistribution {
  /** Normalised. */
  readonly name: string;
  readonly version: string;
  readonly url: string;
  readonly kind: 'wheel' | 'sdist' | 'git' | 'directory';
  readonly sha256?: string | undefined;
  readonly commit?: string | undefined;
  readonly subdirectory?: string | undefined;
  readonly requested: boolean;
  readonly direct: boolean;
  /** Normalised names of what its metadata asks for, whatever the markers. */
  readonly requires: readonly string[];
}

/** @returns what pip would install, or why the report says nothing */
export function parseInstallationReport(text: string): readonly ReportedDistribution[] | string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return 'it is not JSON';
  }
  const parsed = Report.safeParse(value);
  if (!parsed.success) return parsed.error.issues.map((issue) => `${issue.path.join('.')} ${issue.message}`).join('; ');
  return parsed.data.install.map(({ download_info: from, is_direct, requested, metadata }) => {
    const sha256 = from.archive_info?.hashes?.['sha256'] ?? /^sha256=(.*)$/.exec(from.archive_info?.hash ?? '')?.[1];
    const path = URL.parse(from.url)?.pathname ?? '';
    return {
      name: normalizeDistributionName(metadata.name),
      version: metadata.version,
      url: from.url,
      kind: from.vcs_info ? 'git' : from.dir_info ? 'directory' : path.endsWith('.whl') ? 'wheel' : 'sdist',
      sha256: sha256?.toLowerCase(),
      commit: from.vcs_info?.commit_id,
      subdirectory: from.subdirectory,
      requested,
      direct: is_direct,
      requires: (metadata.requires_dist ?? []).map((one) =>
        normalizeDistributionName(/^[A-Za-z0-9._-]+/.exec(one)?.[0] ?? ''),
      ),
    };
  });
}

// One release at a glance: what its manifest says, and whether it is seen to be damaged, without reading its files.
import type { Layout } from '../site/layout.ts';
import { AppError, type Problem } from '../system/app-error.ts';
import { lstatIfThere } from '../system/files.ts';
import { readManifest } from './find-release.ts';
import type { ReleaseManifest } from './manifest.ts';

export interface ReleaseState {
  readonly fullName: string;
  readonly id: string;
  /** Absent where it cannot be read. */
  readonly manifest?: ReleaseManifest | undefined;
  /** Whether it passed its gate: without that it cannot be published. */
  readonly gated: boolean;
  /** What is seen to be wrong; `condense verify` sees more. */
  readonly problems: readonly Problem[];
}

export async function readReleaseState(layout: Layout, fullName: string, id: string): Promise<ReleaseState> {
  const release = layout.release(fullName, id);
  const gated = (await lstatIfThere(release.gateReport)) !== undefined;
  const state = { fullName, id, gated };
  try {
    const manifest = await readManifest(layout, fullName, id);
    const size = (await lstatIfThere(release.image))?.size;
    if (size === manifest.image.sizeBytes) return { ...state, manifest, problems: [] };
    const problem = {
      code: size === undefined ? 'FILE_MISSING' : 'SIZE_DIFFERS',
      message: `${size === undefined ? 'is missing' : `has ${size} bytes, and the manifest says ${manifest.image.sizeBytes}`} (release ${fullName}/${id})`,
      at: release.image,
      hint: `condense verify ${fullName}/${id}`,
    };
    return { ...state, manifest, problems: [problem] };
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return { ...state, problems: error.problems };
  }
}

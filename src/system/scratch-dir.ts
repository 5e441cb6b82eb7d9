// Scratch for what is looked at and not kept.
import os from 'node:os';
import path from 'node:path';
import { mkdtemp } from './files.ts';

/** A new directory of this process's own, which others cannot look into; the caller removes it. */
export const makeScratchDir = (prefix: string): Promise<string> => mkdtemp(path.join(os.tmpdir(), prefix));

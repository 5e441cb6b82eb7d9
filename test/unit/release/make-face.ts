// A public face, written as two mappings.
import type { PublicFace } from '../../../src/release/generation.ts';

export const makeFace = (versions: Record<string, string>, aliases: Record<string, string> = {}): PublicFace => ({
  versions: new Map(Object.entries(versions)),
  aliases: new Map(Object.entries(aliases)),
});

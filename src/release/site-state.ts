// Reads what is published from the links themselves: there is no second record that could disagree.
import path from 'node:path';
import type { Layout } from '../site/layout.ts';
import { pathExists, readdir, readLinkIfThere, readRegularText } from '../system/files.ts';
import { parseGenerationRecord, type GenerationRecord } from './generation-record.ts';
import type { Generation } from './generation.ts';

/** The number behind `current`, or undefined before the first publish. */
export async function readCurrentNumber(layout: Layout): Promise<number | undefined> {
  const target = await readLinkIfThere(layout.current);
  return target === undefined ? undefined : Number(path.basename(target));
}

/** The live generation, or undefined before the first publish. */
export async function readCurrentGeneration(layout: Layout): Promise<Generation | undefined> {
  const number = await readCurrentNumber(layout);
  return number === undefined ? undefined : await readGeneration(layout, number);
}

/** Every generation that users have seen, oldest first: a number above the live one is what a killed publish left. */
export async function readGenerations(layout: Layout): Promise<Generation[]> {
  if (!(await pathExists(layout.generations))) return [];
  const live = (await readCurrentNumber(layout)) ?? 0;
  const numbers = (await readdir(layout.generations))
    .filter((name) => /^[1-9]\d*$/.test(name))
    .map(Number)
    .filter((number) => number <= live);
  return await Promise.all(numbers.sort((a, b) => a - b).map((number) => readGeneration(layout, number)));
}

async function readGeneration(layout: Layout, number: number): Promise<Generation> {
  const at = layout.generation(number);
  const versions = new Map<string, string>();
  const aliases = new Map<string, string>();
  for (const name of (await readdir(at.scripts)).filter((entry) => entry.endsWith('.d')).sort()) {
    const target = await readLinkIfThere(path.join(at.scripts, name));
    if (target === undefined) continue;
    const shown = name.slice(0, -2);
    if (target.includes('/')) versions.set(shown, path.basename(target));
    else aliases.set(shown, target.slice(0, -2));
  }
  const restores = await readLinkIfThere(at.restores);
  return {
    number,
    versions,
    aliases,
    ...(restores === undefined ? {} : { restores: Number(path.basename(restores)) }),
  };
}

/** @returns undefined where it has none that can be read, or somebody else's */
export async function readGenerationRecord(layout: Layout, number: number): Promise<GenerationRecord | undefined> {
  const text = await readRegularText(layout.generation(number).record);
  const record = text === undefined ? undefined : parseGenerationRecord(text);
  return record?.generation === number ? record : undefined;
}

// Reads what is published from the links themselves: there is no second record that could disagree.
import path from 'node:path';
import type { StoreLayout } from '../site/layout.ts';
import { AppError } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import { readdirIfThere, readLinkIfThere, readLinks, readRegularText } from '../system/files.ts';
import { parseGenerationRecord, type GenerationRecord } from './generation-record.ts';
import type { Generation } from './generation.ts';

/** The number behind `current`, or undefined before the first publish. */
export async function readCurrentNumber(layout: StoreLayout): Promise<number | undefined> {
  const target = await readLinkIfThere(layout.current);
  return target === undefined ? undefined : Number(path.basename(target));
}

/**
 * The live generation, or undefined before the first publish.
 * @throws AppError CURRENT_DANGLING (exit 7): taking that for nothing published would publish all else away
 */
export async function readCurrentGeneration(layout: StoreLayout): Promise<Generation | undefined> {
  const number = await readCurrentNumber(layout);
  if (number === undefined) return undefined;
  const generation = readGeneration(layout, number);
  if (generation) return generation;
  throw new AppError(EXIT.publishFailed, {
    code: 'CURRENT_DANGLING',
    message: 'leads to no generation, or to one without its scripts: users see nothing',
    at: layout.current,
    hint: `ls ${layout.generations}; then: ln -sfnT generations/<number> ${layout.current}`,
  });
}

/** Every generation that users have seen, oldest first. */
export async function readGenerations(layout: StoreLayout): Promise<Generation[]> {
  const numbers = await readGenerationNumbers(layout);
  const generations = numbers.map((number) => readGeneration(layout, number));
  return generations.filter((generation) => generation !== undefined);
}

/** Their numbers, oldest first: one above the live one is what a killed publish left. */
export async function readGenerationNumbers(layout: StoreLayout): Promise<number[]> {
  const live = (await readCurrentNumber(layout)) ?? 0;
  return (await readAllNumbers(layout)).filter((number) => number <= live);
}

/** Every number on disk, oldest first, also of what nobody ever saw. */
export async function readAllNumbers(layout: StoreLayout): Promise<number[]> {
  const names = (await readdirIfThere(layout.generations)) ?? [];
  return names
    .filter((name) => /^[1-9]\d*$/.test(name))
    .map(Number)
    .sort((a, b) => a - b);
}

/** @returns undefined where there is none of that number */
export function readGeneration(layout: StoreLayout, number: number): Generation | undefined {
  const at = layout.generation(number);
  const scripts = readLinks(at.scripts);
  if (!scripts) return undefined;
  const versions = new Map<string, string>();
  const aliases = new Map<string, string>();
  for (const [name, target] of [...scripts].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (!name.endsWith('.d')) continue;
    const shown = name.slice(0, -2);
    if (target.includes('/')) versions.set(shown, path.basename(target));
    else aliases.set(shown, target.slice(0, -2));
  }
  const restores = readLinks(at.dir)?.get(path.basename(at.restores));
  return {
    number,
    versions,
    aliases,
    ...(restores === undefined ? {} : { restores: Number(path.basename(restores)) }),
  };
}

/** @returns undefined where it has none that can be read, or somebody else's */
export async function readGenerationRecord(layout: StoreLayout, number: number): Promise<GenerationRecord | undefined> {
  const text = await readRegularText(layout.generation(number).record);
  const record = text === undefined ? undefined : parseGenerationRecord(text);
  return record?.generation === number ? record : undefined;
}

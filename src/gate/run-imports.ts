// Runs the imports of one group in a process of their own; after a crash, what was not reached in another one.
import { describeEnd } from '../system/run-command.ts';
import type { Inside } from './gate-container.ts';
import { IMPORT_PROGRAM, parseImportAnswers } from './import-program.ts';
import type { ImportGroup, ImportItem } from './plan-imports.ts';
import type { RawResult } from './raw-result.ts';

export async function runImports(
  inside: Inside,
  { preload, items }: ImportGroup,
  timeoutMs: number,
): Promise<RawResult[]> {
  const results: RawResult[] = [];
  let rest: readonly ImportItem[] = items;
  while (rest.length > 0) {
    const [found, left] = await runOnce(inside, preload, rest, timeoutMs);
    results.push(...found);
    const broken = found.find(
      ({ name, failure }) => failure !== undefined && name === items[0]?.name && name.startsWith('import '),
    );
    if (broken) {
      // They need it: each would fail, or crash, in the same way.
      const skipped = { reason: `${broken.name} failed` };
      return [broken, ...items.slice(1).map(({ name }) => ({ name, seconds: 0, skipped }))];
    }
    rest = left;
  }
  return results;
}

/** @returns at least one result, and the items that it says nothing about */
async function runOnce(
  inside: Inside,
  preload: readonly string[],
  items: readonly ImportItem[],
  timeoutMs: number,
): Promise<[results: RawResult[], left: readonly ImportItem[]]> {
  const before = preload.map((module) => `p:${module}`);
  const began = performance.now();
  const end = await inside.run({
    program: inside.python,
    // Where an interpreter crashes, its own handler says in which line.
    args: ['-X', 'faulthandler', '-c', IMPORT_PROGRAM, ...before, ...items.map(({ work }) => work)],
    timeoutMs,
  });
  const seconds = (performance.now() - began) / 1000;
  const { answers } = parseImportAnswers(end.stdout.toString('utf8'));
  const tail = end.stderr.trimEnd().split('\n').slice(-12).join('\n');
  const failed = ({ name, from }: ImportItem, why: string, took = seconds): RawResult => ({
    name,
    seconds: took,
    failure: `${from}: ${why}`,
  });
  const [first] = items;
  for (const [index, module] of preload.entries()) {
    const why =
      answers.get(index)?.failure ?? (answers.has(index) ? undefined : `${describeEnd(end, timeoutMs)}\n${tail}`);
    if (first && why !== undefined) return [[failed(first, `gate.preload: ${module}: ${why}`)], items.slice(1)];
  }
  const results: RawResult[] = [];
  for (const [index, item] of items.entries()) {
    const answer = answers.get(preload.length + index);
    if (!answer) {
      // It was begun and ended Python, or Python never came to it.
      const how =
        end.exitCode === 0
          ? 'ended Python with status 0 while it was imported'
          : `${describeEnd(end, timeoutMs)}\n${tail}`;
      return [[...results, failed(item, how.trimEnd())], items.slice(index + 1)];
    }
    results.push(
      answer.failure === undefined
        ? { name: item.name, seconds: answer.seconds }
        : failed(item, answer.failure, answer.seconds),
    );
  }
  if ((end.exitCode === 0 && !end.timedOut) || !first) return [results, []];
  // All went well until Python was to end.
  if (items.length === 1)
    return [[failed(first, `imports, but then Python ${describeEnd(end, timeoutMs)}\n${tail}`.trimEnd())], []];
  // One of several: each alone shows which.
  return [await runAlone(inside, preload, items, timeoutMs), []];
}

async function runAlone(
  inside: Inside,
  preload: readonly string[],
  items: readonly ImportItem[],
  timeoutMs: number,
): Promise<RawResult[]> {
  const results: RawResult[] = [];
  for (const item of items) results.push(...(await runOnce(inside, preload, [item], timeoutMs))[0]);
  return results;
}

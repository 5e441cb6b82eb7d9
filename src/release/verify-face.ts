// Whether what users reach is whole: `current`, the links of the live generation, and the public directories.
import path from 'node:path';
import type { Layout } from '../site/layout.ts';
import { AppError, type Problem } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import { lstatIfThere, readLinkIfThere, readRegularText, walkTree } from '../system/files.ts';
import { planGeneration, type Generation } from './generation.ts';
import { readAllNumbers, readCurrentGeneration, readGenerationRecord } from './site-state.ts';

/**
 * Looks at the links alone; `verifyRelease` looks at what they lead to.
 * @returns every difference, each with its repair; none before the first publish
 */
export async function verifyFace(layout: Layout): Promise<Problem[]> {
  return (await readVerifiedFace(layout)).problems;
}

/** As `verifyFace`, and what is live; undefined before the first publish, and where `current` is broken. */
export async function readVerifiedFace(
  layout: Layout,
): Promise<{ readonly current: Generation | undefined; readonly problems: Problem[] }> {
  const broken = await verifyCurrent(layout);
  if (broken) return { current: undefined, problems: [broken] };
  const current = await readCurrentGeneration(layout);
  if (!current) return { current, problems: [] };
  // These first: publishing, which mends both, refuses while something is in the way of a public link.
  return {
    current,
    problems: [...(await verifyPublicLinks(layout, current)), ...(await verifyGeneration(layout, current))],
  };
}

/**
 * For whoever is about to publish: without knowing what is live, everything else would be published away. A first publish
 * that was killed leaves one generation that nobody saw: that may be.
 * @throws AppError CURRENT_MISSING, CURRENT_REPLACED, CURRENT_DANGLING (exit 7)
 */
export async function checkCurrent(layout: Layout): Promise<void> {
  const broken = await verifyCurrent(layout);
  if (!broken) return;
  if (broken.code === 'CURRENT_MISSING' && ((await readAllNumbers(layout)).at(-1) ?? 0) <= 1) return;
  throw new AppError(EXIT.publishFailed, broken);
}

/** `current` itself: without it there is nothing to compare with. */
async function verifyCurrent(layout: Layout): Promise<Problem | undefined> {
  const at = layout.current;
  const there = await lstatIfThere(at);
  const target = await readLinkIfThere(at);
  const newest = (await readAllNumbers(layout)).at(-1);
  if (!there && newest === undefined) return undefined; // nothing was published yet
  const hint =
    newest === undefined
      ? 'condense install <environment>'
      : `ln -sfnT generations/${newest} ${at}   (${newest} is the newest there is; ${layout.journal} says what was live)`;
  if (!there) return { code: 'CURRENT_MISSING', message: 'is missing: users see nothing', at, hint };
  if (target === undefined)
    return { code: 'CURRENT_REPLACED', message: 'is no link', at, hint: `mv ${at} ${at}.old && ${hint}` };
  if (/^generations\/[1-9]\d*$/.test(target) && (await lstatIfThere(path.resolve(layout.store, target)))?.isDirectory())
    return undefined;
  return {
    code: 'CURRENT_DANGLING',
    message: `leads to ${target}, which is no generation: users see nothing`,
    at,
    hint,
  };
}

async function verifyGeneration(layout: Layout, generation: Generation): Promise<Problem[]> {
  const record = await readGenerationRecord(layout, generation.number);
  const plan = planGeneration(layout, generation, record);
  const hint = describeAgain(generation);
  const problems: Problem[] = [];
  const complain = (code: string, at: string, message: string): void => {
    problems.push({ code, at, message: `${message} (generation ${generation.number}, which is live)`, hint });
  };
  for (const { path: link, target } of plan.links) {
    const found = await readLinkIfThere(link);
    if (found === target) continue;
    complain(
      'GENERATION_CHANGED',
      link,
      found === undefined ? 'is missing, or no link' : `leads to ${found}, not ${target}`,
    );
  }
  for (const { path: file, text } of plan.files)
    if ((await readRegularText(file)) !== text) complain('GENERATION_CHANGED', file, 'is not as it was published');
  const known = new Set([...plan.links, ...plan.files].map((entry) => path.relative(plan.dir, entry.path)));
  for await (const entry of walkTree(plan.dir))
    if (entry.kind !== 'directory' && !known.has(entry.path))
      complain('GENERATION_CHANGED', path.join(plan.dir, entry.path), 'was not published by condense');
  return problems;
}

async function verifyPublicLinks(layout: Layout, generation: Generation): Promise<Problem[]> {
  const again = describeAgain(generation);
  const taken: Problem[] = [];
  const broken: Problem[] = [];
  const code = 'PUBLIC_LINK_BROKEN';
  for (const { path: at, target } of layout.publicLinks) {
    const there = await lstatIfThere(at);
    const found = await readLinkIfThere(at);
    if (found === target) continue;
    const end = 'users do not reach what is live there';
    if (found !== undefined)
      broken.push({ code, at, message: `leads to ${found}, not to ${target}: ${end}`, hint: again });
    else if (!there) broken.push({ code, at, message: `is missing: ${end}`, hint: again });
    else taken.push({ code, at, message: `is no link: ${end}`, hint: `mv ${at} ${at}.old && ${again}` });
  }
  // In this order: publishing refuses while something is in the way.
  return [...taken, ...broken];
}

/** Publishing what is live once more writes its generation and the public links anew. */
function describeAgain({ versions }: Generation): string {
  const [first] = versions;
  return first ? `condense publish ${first.join('/')}` : 'condense install <environment>';
}

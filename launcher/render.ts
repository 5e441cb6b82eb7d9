// The launcher: one file that is a bash script to the kernel and a script to Node.
import type { LauncherFacts } from './facts.ts';
import { renderPrelude } from './prelude.ts';
import { bytesOf } from './shell-quote.ts';

/**
 * @param plannerCode what build.ts makes
 * @throws RangeError for facts that no launcher can be made of
 */
export function renderLauncher(
  facts: LauncherFacts,
  plannerCode: string,
  options: { deferAll?: boolean } = {},
): string {
  const inBytes = (_: string, value: unknown): unknown => (typeof value === 'string' ? bytesOf(value) : value);
  return `${renderPrelude(facts, options)}const CONDENSE_FACTS = ${JSON.stringify(facts, inBytes)};\n${plannerCode}`;
}

// `condense layer`: packages of a person's own over a live version, as one image. The version's own launcher makes it, which
// users call who have no condense.
import { findMeantRelease } from '../release/find-meant-release.ts';
import { EXIT } from '../system/exit-codes.ts';
import { runCommand, wholeEnvironment } from '../system/run-command.ts';
import type { Session } from './session.ts';

/**
 * @param name a live version or alias, or an environment
 * @param directory of the layer: it must not be there
 * @param pip what pip is told to install; its settings are the caller's, as its whole environment is
 * @throws AppError SUBJECT_UNKNOWN (exit 2); TOOL_FAILED (exit 5), with what pip or the launcher said: nothing was made then
 */
export async function runLayer(
  { layout, output, signal }: Session,
  name: string,
  directory: string,
  pip: readonly string[],
): Promise<void> {
  const { fullName } = await findMeantRelease(layout, name);
  const launcher = layout.publicLauncher(fullName);
  const { stdout } = await runCommand({
    ...{ program: launcher, args: ['--layer', directory, ...pip], env: wholeEnvironment(), signal },
    onLine: (line, from) => {
      if (from === 'stderr') output.report({ type: 'note', text: line });
    },
    failureExit: EXIT.buildFailed,
    failureHint: `${launcher} --help`,
  });
  const said = stdout.toString('utf8').trimEnd().split('\n');
  output.result({ environment: fullName, layer: directory }, said.slice(-1));
}

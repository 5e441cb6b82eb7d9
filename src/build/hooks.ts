// Programs of the site that are run while an environment is built: confined to the prefix, with an environment of their own
// (docs/admin.md), an end and a log.
import path from 'node:path';
import type { HookRule, HookStage } from '../config/site-config.ts';
import { AppError } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import { copyNewFile, digestFile, makeDir, makeSharedDir, removeTree, writeFileAtomic } from '../system/files.ts';
import { lookAt } from '../system/host-files.ts';
import { runCommand } from '../system/run-command.ts';
import type { BasePlan } from './base.ts';
import type { BuildContext } from './build-context.ts';
import type { BuildPlan } from './build-plan.ts';
import { planContainerCommand, type BuildContainer } from './container.ts';
import type { HookFacts, HookRun } from './customise.ts';
import { planBuildContainer } from './staged-prefix.ts';
import type { Timed } from './timed.ts';

/** Of a log. */
const MOST_CHARACTERS = 16 << 20;

/** @throws AppError HOOK_MISSING, all at once */
export async function digestHooks({ environment }: BuildPlan): Promise<unknown> {
  const { programs, timeoutMs } = environment.customise.hooks;
  const missing = programs.filter(({ file }) => !['file', 'link'].includes(lookAt(file)?.kind ?? ''));
  if (missing.length > 0)
    throw new AppError(
      EXIT.configuration,
      missing.map(({ stage, file, at }) => ({
        code: 'HOOK_MISSING',
        message: `the hook ${stage} is ${file}, which is no file`,
        at,
        hint: `ls -l ${file}`,
      })),
    );
  const digests = [];
  for (const { stage, file } of programs) digests.push([stage, await digestFile(file)]);
  return [digests, programs.length > 0 ? timeoutMs : undefined];
}

/**
 * Runs a hook to its end and keeps what it printed.
 * @param container with the prefix that it may change, or an image
 * @throws AppError HOOK_FAILED, HOOK_TIMEOUT: exit 5, with the log's place
 */
export async function runHook(
  context: BuildContext,
  plan: BuildPlan,
  hook: HookRule,
  container: BuildContainer,
): Promise<HookRun> {
  const { layout, report, signal } = context;
  const { timeoutMs } = plan.environment.customise.hooks;
  const scratch = layout.staging(plan.fullName).hook;
  const inside = layout.hookScratch;
  await removeTree(scratch);
  await makeDir(path.join(scratch, 'home'));
  await makeDir(path.join(scratch, 'tmp'));
  // A copy: what runs is what was digested, and its neighbours are not there.
  const program = path.join(scratch, 'hook');
  await copyNewFile(hook.file, program, 0o755);
  const sha256 = await digestFile(program);
  const log = layout.hookLog(plan.fullName, hook.stage);
  const printed = new Printed();
  const started = performance.now();
  try {
    const { exitCode } = await runCommand(
      planContainerCommand(
        { ...container, confined: true, scratch: { onDisk: scratch, inside } },
        {
          program: path.posix.join(inside, 'hook'),
          args: [],
          env: planHookVariables(plan, hook.stage, inside),
          okExitCodes: Array.from({ length: 256 }, (_, code) => code),
          ...{ timeoutMs, signal, onLine: printed.add, signalAsStatus: true },
        },
      ),
    );
    if (exitCode !== 0) throw hookFailed('HOOK_FAILED', hook, `failed with exit code ${exitCode}`, printed, log);
  } catch (error) {
    if (!(error instanceof AppError) || error.problems[0]?.code !== 'TOOL_TIMEOUT') throw error;
    const how = `did not finish in ${timeoutMs / 1000} s and was ended`;
    throw hookFailed('HOOK_TIMEOUT', hook, how, printed, log);
  } finally {
    await makeSharedDir(layout.logs);
    await writeFileAtomic(log, printed.text);
    await removeTree(scratch);
  }
  report({ type: 'note', text: `ran the hook ${hook.stage} (${hook.file}); what it printed is in ${log}` });
  return { stage: hook.stage, sha256, seconds: Math.round(performance.now() - started) / 1000 };
}

/** The hook for the image that was packed: nothing of it can be changed any more. */
export async function runPackHook(
  context: BuildContext,
  plan: BuildPlan,
  base: BasePlan,
  image: string,
  timed: Timed,
): Promise<HookFacts | undefined> {
  const hook = plan.environment.customise.hooks.programs.find(({ stage }) => stage === 'pack');
  if (!hook) return undefined;
  const container = await planBuildContainer(context, plan, base, { image });
  const run = await timed('pack hook', () => runHook(context, plan, hook, container));
  return { ...run, added: 0, changed: 0, removed: 0 };
}

/** The whole environment of a hook. docs/admin.md describes it. */
function planHookVariables(plan: BuildPlan, stage: HookStage, scratch: string): Record<string, string> {
  const { environment, fullName, condaPrefix } = plan;
  return {
    CONDENSE_STAGE: stage,
    CONDENSE_ENVIRONMENT: environment.name,
    CONDENSE_VERSION: environment.version,
    CONDENSE_FULL_NAME: fullName,
    PREFIX: condaPrefix,
    CONDA_PREFIX: condaPrefix,
    CONDA_DEFAULT_ENV: fullName,
    PATH: `${condaPrefix}/bin:/usr/bin:/bin`,
    HOME: `${scratch}/home`,
    TMPDIR: `${scratch}/tmp`,
    LC_ALL: 'C.UTF-8',
    // Bytecode is compiled later, the same way each time.
    PYTHONDONTWRITEBYTECODE: '1',
    PYTHONNOUSERSITE: '1',
  };
}

function hookFailed(code: string, hook: HookRule, how: string, printed: Printed, log: string): AppError {
  const tail = printed.text.trimEnd().split('\n').slice(-20).join('\n');
  return new AppError(EXIT.buildFailed, {
    code,
    message: `the hook ${hook.stage} (${hook.file}) ${how}${tail === '' ? '' : `\n${tail}`}`,
    at: hook.at,
    hint: `less ${log}; it could write to the environment's prefix, $HOME and $TMPDIR only`,
  });
}

/** What a program prints, up to a limit. */
class Printed {
  text = '';

  readonly add = (line: string): void => {
    if (this.text.length < MOST_CHARACTERS) this.text += `${line}\n`;
  };
}

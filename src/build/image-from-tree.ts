// The way to an image by a prefix on the staging disk, in which programs can run before it is packed.
import path from 'node:path';
import type { DropRules } from '../config/site-config.ts';
import type { ReleaseManifest } from '../release/manifest.ts';
import { captureActivation } from './activate.ts';
import { auditImage } from './audit.ts';
import { planRunBinds } from './build-inputs.ts';
import { completeBytecode } from './bytecode.ts';
import { customisePrefix, isCustomised } from './customise.ts';
import { removeDropped } from './drop.ts';
import { runHook } from './hooks.ts';
import { readPrefixContent } from './image-content.ts';
import type { ImageRequest, StagedImage } from './image-request.ts';
import { traceOrder } from './order.ts';
import { writeImage } from './pack.ts';
import { finishStagedPrefix, planMarker, readCommands } from './stage.ts';
import { openStagedPrefix, planBuildContainer } from './staged-prefix.ts';

/** @returns the image; or the release that was made from the same inputs, where only pip's resolving could tell */
export async function writeImageFromTree(
  request: ImageRequest,
): Promise<StagedImage | { readonly same: ReleaseManifest }> {
  const { context, plan, findSame, timed } = request;
  const { config, layout, report, signal } = context;
  const staging = layout.staging(plan.fullName);
  const { runInside, lookInside, notes, work } = await openStagedPrefix(context, plan, request, timed);
  let { lock } = request;
  if (work && !lock.pip) lock = await timed('resolve pip', () => work.resolve(request.lock));
  const { inputs, inputsDigest, same } = await findSame(lock);
  if (same) return { same };
  const distributions = lock.pip?.packages ?? [];
  const added =
    work && (await timed('pip', () => work.install(lock, distributions), `${distributions.length} distributions`));
  const inside = { prefixOnDisk: staging.prefix, prefixInside: plan.condaPrefix, report };
  const { customise: rules, drop, outsideCommands: outside } = plan.environment;
  const containerOf = () => planBuildContainer(context, plan, request.base, { onDisk: staging.prefix });
  const customised = isCustomised(rules)
    ? await timed('customise', () =>
        customisePrefix({
          ...{ ...inside, rules, binds: planRunBinds(config, plan) },
          runHook: async (hook) => runHook(context, plan, hook, await containerOf()),
        }),
      )
    : undefined;
  const present = await finishStagedPrefix(staging, planMarker(layout, plan.fullName), plan.spec.variables);
  const bytecode = await timed('bytecode', () => completeBytecode({ ...inside, runInside }));
  const before = customised?.before ?? (takesAny(drop, outside) ? await readPrefixContent(staging.prefix) : undefined);
  const dropped = await timed('drop', () => removeDropped({ ...inside, rules: drop, commands: present, outside }));
  const libraries = await timed('audit', async () =>
    auditImage({
      ...{ content: await readPrefixContent(staging.prefix), before, takers: customised?.takers },
      ...{ replaced: rules.replace.map((rule) => rule.by), prefixInside: plan.condaPrefix },
      ...{ binds: planRunBinds(config, plan), policy: rules.libraries, report },
    }),
  );
  const activation = await timed('activate', () =>
    // Users cannot write there either.
    captureActivation(staging.prefix, plan.condaPrefix, plan.fullName, lookInside),
  );
  const first = await timed('order', () =>
    traceOrder({
      ...inside,
      runInside: lookInside,
      imports: config.squashfs.order === 'traced' ? plan.environment.gate.imports : undefined,
    }),
  );
  const image = await timed('pack', () =>
    writeImage(
      staging.root,
      staging.image,
      config.squashfs,
      signal,
      first.map((file) => path.relative(staging.root, path.join(staging.prefix, file))),
    ),
  );
  const commands = await readCommands(staging.prefix);
  return {
    ...{ image, lock, inputs, inputsDigest, activation, commands, bytecode, dropped, customised, libraries },
    orderedFiles: first.length,
    wheels: added?.wheels ?? [],
    notes: [...notes, ...(added?.notes ?? [])],
  };
}

const takesAny = (drop: DropRules, outside: readonly string[]): boolean =>
  drop.staticLibraries || drop.tests || drop.patterns.length > 0 || outside.length > 0;

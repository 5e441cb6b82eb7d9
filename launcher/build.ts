// Compiles the planner into one script.
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

/** CommonJS for `node -`: render.ts puts it behind the prelude and the facts. */
export async function buildPlanner(): Promise<string> {
  const result = await build({
    entryPoints: [fileURLToPath(new URL('planner.ts', import.meta.url))],
    bundle: true,
    minify: true,
    write: false,
    platform: 'node',
    format: 'cjs',
    target: 'node24',
    legalComments: 'none',
  });
  const [file] = result.outputFiles;
  if (file === undefined) throw new Error('esbuild made no planner');
  return file.text;
}

// Makes dist/: the command line, the threads that solve and unpack, and the launcher's planner.
import { chmod, mkdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { build } from 'esbuild';
import { buildPlanner } from '../launcher/build.ts';

const root = path.resolve(import.meta.dirname, '..');
const dist = path.join(root, 'dist');
await rm(dist, { recursive: true, force: true }); // chunks are named by their content: old ones would stay
await mkdir(dist, { recursive: true });
await build({
  absWorkingDir: root,
  entryPoints: {
    condense: 'src/cli/condense.ts',
    'solve-worker': 'src/conda/solve-worker.ts',
    'unpack-worker': 'src/conda/unpack-worker.ts',
  },
  outdir: dist,
  outExtension: { '.js': '.mjs' },
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node24',
  // The others are 400 small files, which take Node as long to read as all the rest of a short command: with them inside
  // `condense status` starts in half the time. The solver is WebAssembly, which stays beside its own loader.
  external: ['@conda-org/rattler'],
  // For the CommonJS among them.
  banner: {
    js: "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);",
  },
  legalComments: 'linked',
  splitting: true, // commands are imported when they run
  sourcemap: 'linked',
  logLevel: 'warning',
});
await chmod(path.join(dist, 'condense.mjs'), 0o755);
await writeFile(path.join(dist, 'launcher-plan.cjs'), await buildPlanner());

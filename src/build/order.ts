// Stage: the files that the environment's imports open, in the order of their first use, so that the image has them
// together: a cold start then reads a few long stretches of it (docs/performance.md has the figures).
import { z } from 'zod';
import type { RunInside } from '../conda/installer.ts';
import { AppError, errorMessage } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import type { Report } from '../system/events.ts';
import { pathExists } from '../system/files.ts';
import path from 'node:path';

// What Python itself opens it tells its audit hooks (PEP 578: "open", "import"). Shared libraries are opened by the dynamic
// loader: they are seen in /proc/self/maps after each extension module. Nothing here depends on time or on addresses: what
// other threads open, and the libraries of one module, are sorted by name.
const program = String.raw`
import glob, importlib, os, threading
answer = os.fdopen(os.dup(1), 'w')
os.dup2(2, 1)
prefix = work['prefix'] + '/'
main = threading.get_ident()
opened, elsewhere, mapped, pending, failed = {}, set(), set(), [], []
def note(name):
    if type(name) is bytes:
        name = os.fsdecode(name)
    if type(name) is str and name.startswith(prefix):
        if threading.get_ident() == main:
            opened[name] = None
        else:
            elsewhere.add(name)
def note_libraries():
    pending.clear()
    with open('/proc/self/maps', encoding='utf-8', errors='surrogateescape') as maps:
        names = {line.rstrip('\n').split(None, 5)[-1] for line in maps if prefix in line}
    for name in sorted(names - mapped):
        opened[name] = None
    mapped.update(names)
def hook(event, args):
    if event == 'open':
        note(args[0])
    elif event == 'import' and threading.get_ident() == main:
        if pending:
            note_libraries()
        if args[1]:
            note(args[1])
            pending.append(None)
    elif event == 'ctypes.dlopen':
        pending.append(None)
note(os.path.realpath(sys.executable))
note_libraries()
for name in sorted(glob.glob(glob.escape(os.path.dirname(os.__file__)) + '/site-packages/*.pth')):
    note(name)
for module in list(sys.modules.values()):
    spec = getattr(module, '__spec__', None)
    for name in (getattr(spec, 'cached', None), getattr(spec, 'origin', None)):
        if name and os.path.isfile(name):
            note(name)
            break
sys.addaudithook(hook)
for module in work['imports']:
    try:
        importlib.import_module(module)
    except BaseException as error:
        failed.append(module + ': ' + repr(error)[:500])
note_libraries()
found = {}
for name in [*opened, *sorted(elsewhere)]:
    real = os.path.realpath(name)
    if real.startswith(prefix) and os.path.isfile(real):
        found[real[len(prefix):]] = None
json.dump({'files': list(found), 'failed': failed}, answer)
answer.flush()
os._exit(0)
`;

/** The program comes with its work, so that no error message has to show all of it. */
const starter = 'import json, sys; work = json.load(sys.stdin); exec(work["program"])';

const answerSchema = z.object({ files: z.array(z.string()), failed: z.array(z.string()) });

export interface OrderRequest {
  readonly prefixOnDisk: string;
  readonly prefixInside: string;
  /** Modules to import, one after the other in one process: what the gate imports. Undefined: no order is asked for. */
  readonly imports: readonly string[] | undefined;
  /** Sees the prefix read-only: an import that writes a cache must not change the image. */
  readonly runInside: RunInside;
  readonly report: Report;
}

/**
 * @returns paths relative to the prefix, first used first; none for an environment without python. An import that fails is
 *   the gate's to judge: here it is a note, and what was opened until then counts.
 */
export async function traceOrder(request: OrderRequest): Promise<readonly string[]> {
  const { prefixOnDisk, prefixInside, imports, runInside, report } = request;
  if (imports === undefined || !(await pathExists(path.join(prefixOnDisk, 'bin/python3')))) return [];
  try {
    const { stdout } = await runInside({
      program: `${prefixInside}/bin/python3`,
      args: ['-B', '-c', starter],
      // A fixed seed, since the order of a set of names may decide what is imported first.
      env: { HOME: '/tmp', PATH: `${prefixInside}/bin:/usr/bin:/bin`, LC_ALL: 'C.UTF-8', PYTHONHASHSEED: '0' },
      input: JSON.stringify({ program, prefix: prefixInside, imports }),
      timeoutMs: 300_000,
    });
    const { files, failed } = answerSchema.parse(JSON.parse(stdout.toString('utf8')));
    for (const text of failed) report({ type: 'note', text: `files are ordered without all of import ${text}` });
    return files;
  } catch (error) {
    if (!(error instanceof AppError) || error.exit === EXIT.interrupted) throw error;
    report({ type: 'note', text: `files are not ordered: ${errorMessage(error)}` });
    return [];
  }
}

// Compiles Python sources with the environment's own python, in the build container: one process for all of them.
// Timestamp bytecode (PEP 552), as conda and CPython packages have: it names the source's time, so the image must keep
// the sources' times. Equal sources give equal bytes: each slice is compiled by a fresh child in a fixed order,
// because what a process compiled before shows in what it writes next (marshal's references), with a fixed hash seed.
import { z } from 'zod';
import { countProcessors } from '../system/processors.ts';
import type { RunInside } from './installer.ts';

const program = String.raw`
import errno, importlib.util, json, os, py_compile, sys
work = json.loads(sys.stdin.buffer.read().decode())
prefix, files, size = work['prefix'], work['files'], work['slice']
def compile_slice(start):
    for name in files[start:start + size]:
        source = prefix + '/' + name
        try:
            pyc = py_compile.compile(source, doraise=True, invalidation_mode=py_compile.PycInvalidationMode.TIMESTAMP)
        except OSError as error:
            # FileExistsError: the bytecode's name is taken by a link. But a disk that is full is no fault of the source.
            if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO):
                raise
            continue
        except Exception:
            continue
        seconds = int(os.stat(source).st_mtime)
        os.utime(pyc, (seconds, seconds))
        os.chmod(pyc, 0o644)
os.umask(0o022)
running = set()
broken = 0
def reap():
    global broken
    pid, status = os.wait()
    running.discard(pid)
    broken += status != 0
for start in range(0, len(files), size):
    while len(running) >= work['processors']:
        reap()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            compile_slice(start)
            status = 0
        except OSError as error:
            print(error, file=sys.stderr, flush=True)
        finally:
            os._exit(status)
    running.add(child)
while running:
    reap()
made = []
for name in files:
    pyc = importlib.util.cache_from_source(name)
    made.append(pyc if os.path.exists(prefix + '/' + pyc) else None)
if broken:
    sys.exit(f'{broken} processes that compile Python ended early')
json.dump({'made': made}, sys.stdout)
`;

/** Files per child: a fork costs about as much as compiling one. */
const sliceFiles = 200;

const resultSchema = z.object({ made: z.array(z.string().nullable()) });

/**
 * Writes `__pycache__/*.pyc` for the sources that this python can compile; templates and other versions' code cannot, which
 * is no error (conda ignores it too).
 * @param sources relative to the prefix
 * @returns the bytecode file of each compiled source, both relative
 */
export async function writeBytecode(request: {
  readonly sources: readonly string[];
  readonly prefixInside: string;
  /** `bin/python3.13` */
  readonly interpreter: string;
  readonly runInside: RunInside;
}): Promise<ReadonlyMap<string, string>> {
  const { sources, prefixInside } = request;
  if (sources.length === 0) return new Map();
  const { stdout } = await request.runInside({
    program: `${prefixInside}/${request.interpreter}`,
    // No site: the .pth files of what is being installed must not run. -B: nothing but what is asked for is written.
    args: ['-I', '-S', '-B', '-W', 'ignore', '-c', program],
    env: { PYTHONHASHSEED: '0' },
    input: JSON.stringify({
      prefix: prefixInside,
      files: sources,
      slice: sliceFiles,
      processors: countProcessors(process.env),
    }),
  });
  const { made } = resultSchema.parse(JSON.parse(stdout.toString('utf8')));
  const compiled = new Map<string, string>();
  for (const [index, source] of sources.entries()) {
    const pyc = made[index];
    if (pyc) compiled.set(source, pyc);
  }
  return compiled;
}

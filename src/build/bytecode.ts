// Stage: bytecode for every Python source of the environment. The image cannot be written to: what has none, or an outdated
// one, Python would compile again at each start.
import path from 'node:path';
import { z } from 'zod';
import { writeBytecode } from '../conda/bytecode.ts';
import type { RunInside } from '../conda/installer.ts';
import type { Report } from '../system/events.ts';
import { pathExists } from '../system/files.ts';

// As the import system judges bytecode (importlib._bootstrap_external: _classify_pyc, _validate_timestamp_pyc): unchecked
// hashes are taken as they are; checked ones make it read and hash the source at each start.
const program = String.raw`
import importlib.util, json, os, struct, sys
prefix = json.load(sys.stdin)['prefix']
library = os.path.dirname(os.__file__)
valid, others = 0, []
def is_valid(source):
    try:
        with open(importlib.util.cache_from_source(source), 'rb') as file:
            head = file.read(16)
    except OSError:
        return False
    if len(head) < 16 or head[:4] != importlib.util.MAGIC_NUMBER:
        return False
    flags, seconds, size = struct.unpack('<III', head[4:])
    if flags:
        return flags == 1
    at = os.stat(source)
    return seconds == int(at.st_mtime) & 0xFFFFFFFF and size == at.st_size & 0xFFFFFFFF
for dir, dirs, names in os.walk(library):
    for name in names:
        source = dir + '/' + name
        if not name.endswith('.py') or not os.path.isfile(source):
            continue
        if is_valid(source):
            valid += 1
        else:
            others.append(os.path.relpath(source, prefix))
json.dump({'valid': valid, 'others': sorted(others)}, sys.stdout)
`;

const answerSchema = z.object({ valid: z.int(), others: z.array(z.string()) });

export interface BytecodeCount {
  /** Sources below lib/python* with bytecode that Python takes as it is. */
  readonly valid: number;
  /** Of these, compiled here: their packages came without, or with an outdated one. */
  readonly compiled: number;
  /** What cannot be compiled: templates, and code for other versions of Python. */
  readonly uncompiled: number;
}

export interface BytecodeRequest {
  readonly prefixOnDisk: string;
  readonly prefixInside: string;
  readonly runInside: RunInside;
  readonly report: Report;
}

/** @returns undefined for an environment without python */
export async function completeBytecode(request: BytecodeRequest): Promise<BytecodeCount | undefined> {
  const { prefixOnDisk, prefixInside, runInside, report } = request;
  const interpreter = 'bin/python3';
  if (!(await pathExists(path.join(prefixOnDisk, interpreter)))) return undefined;
  const { stdout } = await runInside({
    program: `${prefixInside}/${interpreter}`,
    args: ['-I', '-S', '-B', '-c', program],
    input: JSON.stringify({ prefix: prefixInside }),
  });
  const { valid, others } = answerSchema.parse(JSON.parse(stdout.toString('utf8')));
  const compiled = (await writeBytecode({ sources: others, prefixInside, interpreter, runInside })).size;
  if (compiled > 0)
    report({ type: 'note', text: `compiled ${compiled} Python sources that came without valid bytecode` });
  return { valid: valid + compiled, compiled, uncompiled: others.length - compiled };
}

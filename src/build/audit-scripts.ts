// Whether every script of an image names an interpreter that the container has. A pip-installed command can name the directory
// that the prefix was built in, and a package the machine that it was built on. Format: execve(2), "Interpreter scripts".
import path from 'node:path';
import { ContainerView } from '../site/container-view.ts';
import { readContent, type ImageContent } from './image-content.ts';

export interface ScriptAnswer {
  readonly scripts: number;
  readonly wrong: readonly WrongScript[];
}

interface WrongScript {
  /** Relative to the prefix. */
  readonly script: string;
  /** As written after `#!`. */
  readonly interpreter: string;
  /** `lost`: the image had it; `missing`: it never had, and neither does this host. */
  readonly kind: 'lost' | 'missing';
  /** Where it was, of one that was lost. */
  readonly was?: string | undefined;
}

/** The kernel reads no more. */
const LINE_BYTES = 256;

export function auditScripts(request: {
  readonly content: ImageContent;
  readonly before?: ImageContent | undefined;
  readonly prefixInside: string;
  readonly binds: readonly string[];
}): ScriptAnswer {
  const { content, before, prefixInside, binds } = request;
  const view = new ContainerView({ prefixInside, tree: content, binds });
  const then = before && new ContainerView({ prefixInside, tree: before, binds });
  const wrong: WrongScript[] = [];
  let scripts = 0;
  for (const [script, entry] of content) {
    if (entry.kind !== 'file' || (entry.mode & 0o111) === 0) continue;
    const line = readContent(entry, (read) => read(0, LINE_BYTES));
    if (line?.subarray(0, 2).toString('latin1') !== '#!') continue;
    scripts += 1;
    const parsed = parseShebang(line);
    if (parsed === undefined) continue;
    const isThere = (one: ContainerView): string | undefined =>
      listPlaces(parsed, prefixInside).find((file) => one.locate(file)?.kind === 'file');
    if (isThere(view) !== undefined) continue;
    const was = then && isThere(then);
    const kind = was !== undefined ? 'lost' : 'missing';
    const left = was !== undefined && then ? then.locate(was)?.inImage : undefined;
    wrong.push({ script, interpreter: parsed.written, kind, ...(left === undefined ? {} : { was: left }) });
  }
  return { scripts, wrong };
}

interface Shebang {
  readonly interpreter: string;
  /** What env(1) is to look up on PATH. */
  readonly name?: string | undefined;
  readonly written: string;
}

/** @returns undefined for a line that names nothing: a shell reads such a script itself */
export function parseShebang(bytes: Uint8Array): Shebang | undefined {
  const [line = ''] = Buffer.from(bytes)
    .toString('utf8')
    .slice(2)
    .split(/[\n\r]/);
  const written = line.trim();
  const [interpreter = '', ...args] = written.split(/[ \t]+/);
  if (interpreter === '') return undefined;
  if (!/^\/(usr\/)?bin\/env$/.test(interpreter)) return { interpreter, written };
  // Options and assignments come first: `env -S NAME=value python3 -E`.
  const name = args.find((arg) => !arg.startsWith('-') && !arg.includes('='));
  return { interpreter, name, written };
}

function listPlaces({ interpreter, name }: Shebang, prefixInside: string): string[] {
  if (name === undefined) return interpreter.startsWith('/') ? [interpreter] : [];
  if (name.includes('/')) return [name];
  return [path.posix.join(prefixInside, 'bin'), '/usr/local/bin', '/usr/bin', '/bin', '/usr/sbin', '/sbin'].map(
    (dir) => `${dir}/${name}`,
  );
}

// The Python program that imports, one process for each top-level module, and how its answers are read.

/**
 * Arguments: `p:<module>` to import before, `i:<module>`, `e:<module>:<attribute>`. It answers on the standard output that it
 * was started with, which modules do not get: a line when it begins with an argument, and one when it is done. It imports
 * nothing itself that the interpreter has not loaded, so that what is imported finds what it would find alone, and it ends
 * as Python ends: a crash then is a crash of the module.
 */
export const IMPORT_PROGRAM = String.raw`
import os, sys, time
answer = os.dup(1)
os.dup2(2, 1)
work = sys.argv[1:]
del sys.argv[1:]
def tell(*words):
    os.write(answer, (' '.join(str(word) for word in words) + '\n').encode())
for index, item in enumerate(work):
    tell(index, 'begins')
    began = time.monotonic()
    try:
        kind, module, *attribute = item.split(':')
        __import__(module)
        if kind == 'e':
            target = sys.modules[module]
            for name in attribute[0].split('.'):
                target = getattr(target, name)
            if not callable(target):
                raise TypeError(item[2:] + ' cannot be called')
    except BaseException as error:
        import traceback
        lines = traceback.format_exception(type(error), error, error.__traceback__)
        text = ''.join(lines).strip().split('\n')
        tell(index, 'failed', time.monotonic() - began, '\n'.join(text[-12:]).encode('utf-8', 'backslashreplace').hex())
    else:
        tell(index, 'passed', time.monotonic() - began)
`;

export interface ImportAnswer {
  readonly seconds: number;
  readonly failure?: string | undefined;
}

/** @returns the answer to each argument that has one, by its position; and the one that was begun and not finished */
export function parseImportAnswers(text: string): {
  readonly answers: ReadonlyMap<number, ImportAnswer>;
  readonly open: number | undefined;
} {
  const answers = new Map<number, ImportAnswer>();
  let open: number | undefined;
  for (const line of text.split('\n')) {
    const [, number, verb, seconds, hex] =
      /^(\d+) (begins|passed|failed)(?: ([\d.e-]+))?(?: ([0-9a-f]*))?$/.exec(line) ?? [];
    const index = Number(number);
    if (verb === 'begins') open = index;
    // What was not begun is nothing that the program says.
    else if (verb !== undefined && open === index) {
      open = undefined;
      const failure =
        verb === 'failed' ? Buffer.from(hex ?? '', 'hex').toString('utf8') || 'without a message' : undefined;
      answers.set(index, { seconds: Number(seconds), ...(failure === undefined ? {} : { failure }) });
    }
  }
  return { answers, open };
}

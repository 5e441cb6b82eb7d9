// The planner's thin entry: the bytes of the waiting shell come in, shell words go out. esbuild makes it one file.
import {
  accessSync,
  closeSync,
  constants,
  lstatSync,
  openSync,
  readFileSync,
  readlinkSync,
  readSync,
  realpathSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import type { LauncherFacts } from './facts.ts';
import { parseInvocation } from './invocation.ts';
import type { Sight } from './path.ts';
import { planLaunch } from './plan.ts';
import { renderPlan } from './render-plan.ts';
import { bytesOf } from './shell-quote.ts';

/** Stands before this code in the launcher (render.ts). */
declare const CONDENSE_FACTS: LauncherFacts;

const raw = (path: string): Buffer => Buffer.from(path, 'latin1');
const holds = (question: () => unknown): boolean => {
  try {
    return question() !== false;
  } catch {
    // Not there, no permission, a loop of links: each means that it cannot be used.
    return false;
  }
};

const sight: Sight = {
  isThere: (path) => holds(() => statSync(raw(path))),
  isLink: (path) => holds(() => lstatSync(raw(path)).isSymbolicLink()),
  isReadable: (path) =>
    holds(() => {
      accessSync(raw(path), constants.R_OK);
    }),
  isWritable: (path) =>
    holds(() => {
      accessSync(raw(path), constants.W_OK);
    }),
  isProgram: (path) =>
    holds(() => {
      accessSync(raw(path), constants.X_OK);
      return statSync(raw(path)).isFile();
    }),
  isSame: (one, other) =>
    holds(() => {
      const [first, second] = [statSync(raw(one)), statSync(raw(other))];
      return first.dev === second.dev && first.ino === second.ino;
    }),
  isLauncher: (path) =>
    holds(
      () =>
        realpathSync(raw(path), 'latin1').endsWith('/launcher') &&
        readFileSync(raw(path), 'latin1').startsWith("#!/bin/bash -pf\n':' /*;"),
    ),
  readText: (path) => (sight.isThere(path) ? readFileSync(raw(path), 'latin1') : undefined),
  // isProgram first: to open a fifo would be to wait for its writer.
  readFirstLine: (path) =>
    sight.isProgram(path) && sight.isReadable(path) ? readStart(path).split('\n', 1)[0] : undefined,
};

function readStart(path: string): string {
  const file = openSync(raw(path), 'r');
  try {
    const start = Buffer.alloc(256);
    return start.toString('latin1', 0, readSync(file, start));
  } finally {
    closeSync(file);
  }
}

/** The facts are text, everything else here is bytes. */
function inBytes<T>(facts: T): T {
  return JSON.parse(JSON.stringify(facts), (_, value: unknown) =>
    typeof value === 'string' ? bytesOf(value) : value,
  ) as T;
}

const [pid = '', argumentCount = ''] = process.argv.slice(2);
const read = (name: string): string => readFileSync(`/proc/${pid}/${name}`, 'latin1');
const facts = inBytes(CONDENSE_FACTS);
const target = (name: string): string => {
  try {
    return readlinkSync(`/proc/${pid}/fd/${name}`);
  } catch {
    return ''; // closed
  }
};
const invocation = parseInvocation(
  {
    cmdline: read('cmdline'),
    environ: read('environ'),
    status: read('status'),
    stdin: target('0'),
    stderr: target('2'),
  },
  Number(argumentCount),
);
// Not process.stdout, which takes Node some milliseconds to make.
writeFileSync(1, renderPlan(planLaunch(invocation, facts, sight), facts, invocation));

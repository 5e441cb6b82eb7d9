// The planner's thin entry: the bytes of the waiting shell come in, shell words go out. esbuild makes it one file.
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  lstatSync,
  openSync,
  readFileSync,
  readlinkSync,
  readSync,
  realpathSync,
  statSync,
  type Stats,
  writeFileSync,
} from 'node:fs';
import type { LauncherFacts } from './facts.ts';
import { parseInvocation } from './invocation.ts';
import type { Sight } from './path.ts';
import { planLaunch } from './plan.ts';
import { renderPlan } from './render-plan.ts';

/** Stands before this code in the launcher, its texts as bytes in latin1 strings like everything else here (render.ts). */
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

// What is not there is common, and an error takes Node a tenth of a millisecond to make: so questions that throw come last.
const statOf = (path: string): Stats | undefined => statSync(raw(path), { throwIfNoEntry: false });
const sight: Sight = {
  isThere: (path) => existsSync(raw(path)),
  isLink: (path) => holds(() => lstatSync(raw(path), { throwIfNoEntry: false })?.isSymbolicLink() === true),
  isReadable: (path) =>
    holds(() => {
      accessSync(raw(path), constants.R_OK);
    }),
  isWritable: (path) =>
    holds(() => {
      accessSync(raw(path), constants.W_OK);
    }),
  isProgram: (path) =>
    holds(() => statOf(path)?.isFile() === true) &&
    holds(() => {
      accessSync(raw(path), constants.X_OK);
    }),
  isSame: (one, other) =>
    holds(() => {
      const [first, second] = [statOf(one), statOf(other)];
      return first !== undefined && first.dev === second?.dev && first.ino === second.ino;
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

const [pid = '', argumentCount = ''] = process.argv.slice(2);
const read = (name: string): string => readFileSync(`/proc/${pid}/${name}`, 'latin1');
const facts = CONDENSE_FACTS;
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
// Leaves without taking V8's heap apart first, a millisecond: nothing is open, all is written.
process.exit();

// How much longer a program takes to start through the launcher: ratios of runs that take turns, so that whatever else
// the machine does meets both sides. No absolute times: they say more about the machine than about us.
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { execa } from 'execa';
import { asOrdinaryUser } from './ordinary-user.ts';

// One and the same shell code times both sides, on the host and in the container. A failure ends it with its status.
const TIMER = `
while read -r _; do
  started=$EPOCHREALTIME
  "$@" </dev/null >/dev/null || exit
  ended=$EPOCHREALTIME
  echo $((\${ended/[!0-9]/} - \${started/[!0-9]/}))
done`;

export interface Comparison {
  readonly title: string;
  readonly command: TimedCommand;
  readonly against: TimedCommand;
}

interface TimedCommand {
  readonly words: readonly string[];
  /** Starts the timer itself inside, e.g. the launcher; on the host when absent. */
  readonly inside?: readonly string[];
}

interface Spread {
  readonly median: number;
  readonly lowerQuartile: number;
  readonly upperQuartile: number;
}

/** Ratio of the values of each round: one over the other. @throws RangeError when there is nothing to compare */
export function compareRounds(command: readonly number[], against: readonly number[]): Spread {
  if (command.length === 0 || command.length !== against.length) throw new RangeError('there are no rounds to compare');
  const ratios = command.map((value, round) => value / (against[round] ?? Number.NaN)).sort((a, b) => a - b);
  return {
    median: quantile(ratios, 0.5),
    lowerQuartile: quantile(ratios, 0.25),
    upperQuartile: quantile(ratios, 0.75),
  };
}

/** Between the two nearest values, linearly. */
function quantile(sorted: readonly number[], part: number): number {
  const at = (sorted.length - 1) * part;
  const below = sorted[Math.floor(at)] ?? Number.NaN;
  const above = sorted[Math.ceil(at)] ?? Number.NaN;
  return below + (above - below) * (at - Math.floor(at));
}

/**
 * Runs every comparison `rounds` times, the commands taking turns, after one round that does not count.
 * @param home a home directory of the ordinary user who runs them (ordinary-user.ts)
 */
export async function measureStartup(
  home: string,
  comparisons: readonly Comparison[],
  rounds: number,
): Promise<readonly Spread[]> {
  const sides = comparisons.flatMap(({ command, against }) => [command, against]);
  const timers = sides.map((side) => startTimer(home, side));
  const micros: number[][] = sides.map(() => []);
  try {
    for (const timer of timers) await timer.time();
    for (let round = 0; round < rounds; round++) {
      for (const [side, timer] of timers.entries()) micros[side]?.push(await timer.time());
    }
  } finally {
    await Promise.all(timers.map((timer) => timer.stop()));
  }
  return comparisons.map((_, index) => compareRounds(micros[2 * index] ?? [], micros[2 * index + 1] ?? []));
}

interface Timer {
  /** Microseconds of one run. @throws Error when the command failed */
  readonly time: () => Promise<number>;
  readonly stop: () => Promise<void>;
}

function startTimer(home: string, { words, inside = [] }: TimedCommand): Timer {
  const [program = '', ...args] = asOrdinaryUser([...inside, '/bin/bash', '-c', TIMER, 'timer', ...words]);
  const child = execa(program, args, {
    cwd: home,
    stderr: 'inherit',
    reject: false,
    extendEnv: false,
    env: { HOME: home, PATH: '/usr/local/bin:/usr/bin:/bin', LANG: 'C.UTF-8' },
  });
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    time: async () => {
      if (!child.stdin.write('\n')) await once(child.stdin, 'drain');
      const answer = await answers.next();
      if (!answer.done) return Number(answer.value);
      throw new Error(`${[...inside, ...words].join(' ')} failed with exit code ${(await child).exitCode ?? '?'}`);
    },
    stop: async () => {
      child.stdin.end();
      await child;
    },
  };
}

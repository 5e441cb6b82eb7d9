// srun's command line, as far as to tell which words are programs.

/** srun(1) of Slurm 22.05: what takes no argument, or only one that is attached. Everything else takes one. */
const LONG_ALONE = new Set(
  `bcast compress contiguous disable-status exact exclusive help hold immediate interactive kill-on-bad-exit label multi-prog
  nice no-allocate no-kill overcommit overlap oversubscribe preserve-env propagate pty quiet quit-on-interrupt reboot resv-ports
  send-libs spread-job test-only unbuffered usage use-min-nodes verbose version x11`.split(/\s+/),
);
const SHORT_ALONE = 'EhHlOQsuvVXZ';
const SHORT_ATTACHED = 'IkK';

/** @returns the places of the programs' words: one, and one more behind each ` : ` of a heterogeneous step that has its own */
export function findSrunPrograms(args: readonly string[]): number[] {
  const programs: number[] = [];
  let at = 0;
  while (at < args.length) {
    at = skipOptions(args, at);
    if (at < args.length && args[at] !== ':') programs.push(at);
    const end = args.indexOf(':', at);
    if (end < 0) break;
    at = end + 1;
  }
  return programs;
}

function skipOptions(args: readonly string[], from: number): number {
  let at = from;
  for (let word = args[at]; word !== undefined; word = args[at]) {
    if (word === '--') return at + 1;
    if (!word.startsWith('-') || word === '-') break;
    at += word.startsWith('--') ? longWidth(word.slice(2)) : shortWidth(word);
  }
  return at;
}

const longWidth = (name: string): number => (name.includes('=') || LONG_ALONE.has(name) ? 1 : 2);

function shortWidth(word: string): number {
  const letter = word.split('').findIndex((one, at) => at > 0 && !SHORT_ALONE.includes(one));
  if (letter < 0 || SHORT_ATTACHED.includes(word.charAt(letter))) return 1;
  return letter === word.length - 1 ? 2 : 1;
}

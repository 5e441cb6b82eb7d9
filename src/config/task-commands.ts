// The commands that can run somewhere else than where they are typed (--on): all that solve, download, build or check, and
// doctor, which looks at the node it runs on. The others change links or look at the site, in moments.

export const TASK_COMMANDS = [
  'install',
  'plan',
  'build',
  'test',
  'lock',
  'adopt',
  'verify',
  'mirror',
  'doctor',
] as const;

/** Those that do the same for one environment after the other: each environment becomes a task of its own (--jobs). */
export const SPREAD_COMMANDS = ['install', 'build', 'test', 'lock'] as const;

// The commands that can run somewhere else than where they are typed (--on).

export const TASK_COMMANDS = ['install', 'build', 'test', 'lock', 'adopt', 'verify', 'mirror'] as const;

/** Those that do the same for one environment after the other: each environment becomes a task of its own (--jobs). */
export const SPREAD_COMMANDS = ['install', 'build', 'lock'] as const;

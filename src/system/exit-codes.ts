// The exit codes of the command line: public API, documented in docs/cli.md and in each command's help.

export const EXIT = {
  done: 0,
  ourBug: 1,
  usage: 2,
  configuration: 3,
  siteNotReady: 4,
  buildFailed: 5,
  gateFailed: 6,
  publishFailed: 7,
  followUpFailed: 8,
  locked: 11,
  interrupted: 130,
  terminated: 143,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

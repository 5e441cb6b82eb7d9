// Where the tests are not root, they may be so without a password, as ci/setup needs it too.

/** @returns what to start instead: itself, or by sudo */
export function asRoot(program: string, ...args: string[]): [program: string, args: string[]] {
  return process.getuid?.() === 0 ? [program, args] : ['sudo', ['-n', program, ...args]];
}

// A user's program that runs while the test goes on: it prints a line, then waits to be told to go on.
import { execa } from 'execa';
import { asOrdinaryUser } from '../../ci/ordinary-user.ts';

export interface Started {
  readonly firstLine: Promise<string>;
  /** Writes a line to it and waits for its end. @returns all that it printed; throws when it failed */
  readonly goOn: () => Promise<string>;
}

export function startAsUser(home: string, command: readonly string[]): Started {
  const [program = '', ...args] = asOrdinaryUser(command);
  const child = execa(program, args, { env: { HOME: home }, cwd: home, timeout: 300_000 });
  return {
    firstLine: new Promise((resolve) => {
      child.stdout.once('data', (chunk: Buffer) => {
        resolve(chunk.toString('utf8').trimEnd());
      });
    }),
    goOn: async () => {
      child.stdin.end('go on\n');
      return (await child).stdout;
    },
  };
}

// The command line of the build container: the bare base, the node's own system, and a prefix at its final path.
import type { Command } from '../system/run-command.ts';

export interface BuildContainer {
  readonly runtime: string;
  /** The base image. */
  readonly base: string;
  /** Host directories seen at their own path. */
  readonly binds: readonly string[];
  /** The staging prefix, writable, which is seen at `prefixInside`; or an image that has it there. */
  readonly prefix: { readonly onDisk: string } | { readonly image: string };
  readonly prefixInside: string;
  /** Programs cannot change the prefix. */
  readonly readOnly?: boolean | undefined;
  /**
   * What runs can write to the prefix and the scratch only, has no privileges of root, and everything that it started ends
   * with it.
   */
  readonly confined?: boolean | undefined;
  /** A directory of this build and where it is seen: writable. Inside, /tmp is in memory and small. */
  readonly scratch?: { readonly onDisk: string; readonly inside: string } | undefined;
}

/**
 * @param command a program inside; its environment is exactly `env`
 * @returns the command to run on the host
 */
export function planContainerCommand(
  container: BuildContainer,
  command: Pick<
    Command,
    'program' | 'args' | 'env' | 'input' | 'timeoutMs' | 'okExitCodes' | 'signal' | 'onLine' | 'signalAsStatus'
  >,
): Command {
  const { program, args, env = {}, ...rest } = command;
  const { prefix, prefixInside } = container;
  return {
    ...rest,
    program: container.runtime,
    writesTo: 'onDisk' in prefix ? prefix.onDisk : undefined,
    args: [
      '--silent', // warnings about passwd and group, which are the node's own through the bind of /etc
      'exec',
      '--cleanenv',
      '--contain', // no home directory, no host /tmp: a user's files must not change a build
      ...(container.confined ? ['--no-privs', '--pid'] : []),
      '--bind',
      [
        ...container.binds.map((dir) => (container.confined ? `${dir}:${dir}:ro` : dir)),
        ...('onDisk' in prefix ? [`${prefix.onDisk}:${prefixInside}${container.readOnly ? ':ro' : ''}`] : []),
        ...(container.scratch ? [`${container.scratch.onDisk}:${container.scratch.inside}`] : []),
      ].join(','),
      '--pwd',
      '/',
      ...('image' in prefix ? ['--overlay', `${prefix.image}:ro`] : []),
      container.base,
      // The runtime adds variables of its own and replaces PATH; env(1) gives the program just what was asked for.
      '/usr/bin/env',
      '-i',
      ...Object.entries(env).map(([name, value]) => `${name}=${value}`),
      program,
      ...args,
    ],
  };
}

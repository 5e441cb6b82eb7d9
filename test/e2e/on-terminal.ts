// A terminal of an ordinary user's: script(1) makes it, and what is typed is typed when something was said.
import { execa } from 'execa';
import { asOrdinaryUser } from '../../ci/ordinary-user.ts';

/**
 * @param keys are typed as soon as `when` was said
 * @returns all that was said until the script ended
 */
export async function runOnTerminal(
  script: string,
  env: Readonly<Record<string, string>>,
  { when, keys, cwd }: { readonly when: string; readonly keys: string; readonly cwd: string },
): Promise<string> {
  const [program = '', ...args] = asOrdinaryUser(['/usr/bin/script', '-qfec', script, '/dev/null']);
  const child = execa(program, args, { cwd, env, extendEnv: false, reject: false, timeout: 60_000 });
  let said = '';
  let isTyped = false;
  child.stdout.on('data', (data: Buffer) => {
    said += data.toString('utf8');
    if (isTyped || !said.includes(when)) return;
    isTyped = true;
    child.stdin.write(keys);
  });
  await child;
  return said;
}

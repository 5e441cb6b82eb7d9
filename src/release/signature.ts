// Signatures of manifests by ssh-keygen(1), -Y: who built a release, and that nobody has changed what it says since.
import type { SigningPolicy } from '../config/site-config.ts';
import type { ReleaseLayout } from '../site/layout.ts';
import type { Problem } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import { lstatIfThere, readBytes, writeFileAtomic } from '../system/files.ts';
import { minimalEnvironment, runCommand, type Command, type CommandResult } from '../system/run-command.ts';

/** Keeps a signature that somebody made for something else, such as a commit, from counting here. */
const NAMESPACE = 'condense-manifest';

/**
 * Signs a manifest as it is now. The key is named to ssh-keygen and never read here; it may be the public half of one that
 * an agent holds.
 * @throws AppError TOOL_FAILED (exit 5)
 */
export async function writeSignature(release: ReleaseLayout, key: string): Promise<void> {
  const agent = process.env['SSH_AUTH_SOCK'];
  const { stdout } = await runKeygen(['-Y', 'sign', '-q', '-f', key, '-n', NAMESPACE], {
    input: await readBytes(release.manifest),
    env: { ...minimalEnvironment(), ...(agent === undefined ? {} : { SSH_AUTH_SOCK: agent }) },
    // A key with a passphrase would wait for a terminal.
    timeoutMs: 60_000,
    failureExit: EXIT.buildFailed,
    failureHint: `ssh-keygen -l -f ${key}; a key with a passphrase needs ssh-agent: ssh-add ${key}`,
  });
  await writeFileAtomic(release.signature, stdout, 0o444);
}

/**
 * @param subject `<full name>/<release id>`, for the repair
 * @returns what is wrong by that policy; a signature that is there must hold, whether or not one is required
 */
export async function verifySignature(
  release: ReleaseLayout,
  subject: string,
  { allowedSigners, required }: SigningPolicy,
): Promise<Problem | undefined> {
  if (allowedSigners === undefined) return undefined;
  const at = release.signature;
  const there = await lstatIfThere(at);
  if (!there && !required) return undefined;
  if (!there?.isFile()) {
    const message = there ? 'is no regular file' : 'is missing, and signing.required asks for it';
    return { code: 'SIGNATURE_MISSING', message, at, hint: `condense sign ${subject}` };
  }
  const signers = await runKeygen(['-Y', 'find-principals', '-f', allowedSigners, '-s', at], { okExitCodes: ANY });
  const invalid = (why: string): Problem => ({
    ...{ code: 'SIGNATURE_INVALID', at, message: `${why} (allowed: ${allowedSigners})` },
    hint: `look at who changed ${release.manifest}; if it is right: condense sign ${subject}`,
  });
  const [signer] = signers.stdout.toString('utf8').split('\n');
  if (signers.exitCode !== 0 || signer === undefined || signer === '')
    return invalid(`is of none of the allowed signers: ${signers.stderr.trim()}`);
  const { exitCode, stderr, stdout } = await runKeygen(
    ['-Y', 'verify', '-f', allowedSigners, '-I', signer, '-n', NAMESPACE, '-s', at],
    { input: await readBytes(release.manifest), okExitCodes: ANY },
  );
  if (exitCode === 0) return undefined;
  return invalid(
    `does not hold for the manifest: ${(stderr.trim() || stdout.toString('utf8').trim()).split('\n')[0] ?? ''}`,
  );
}

/** ssh-keygen ends with 255 for what does not hold. */
const ANY = [0, 1, 255];

async function runKeygen(args: readonly string[], more: Omit<Command, 'program' | 'args'>): Promise<CommandResult> {
  return await runCommand({
    program: 'ssh-keygen',
    args,
    failureHint: 'apt-get install openssh-client',
    ...more,
  });
}

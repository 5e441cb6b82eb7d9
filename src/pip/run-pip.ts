// Starts the environment's own pip in the build container: nothing of the person who builds reaches it but the ways to the
// network, and nothing secret is on a command line, where every user of the node could read it.
import path from 'node:path';
import type { RunInside } from '../conda/installer.ts';
import type { PythonLayout } from '../conda/python-linking.ts';
import { AppError, type Problem } from '../system/app-error.ts';
import { EXIT } from '../system/exit-codes.ts';
import { lstatIfThere, makeDir, readText, removeTree, writeNewFile } from '../system/files.ts';
import { redactUrls } from '../system/redact-urls.ts';

/** Where pip works: a directory of this build, and where the container sees it. */
export interface PipScratch {
  readonly onDisk: string;
  readonly inside: string;
  readonly prefixOnDisk: string;
  readonly prefixInside: string;
  /** With the scratch and the prefix. */
  readonly runInside: RunInside;
  /** The same, but the prefix cannot be written: what resolving and building run is the code of whoever wrote an sdist. */
  readonly buildInside: RunInside;
  /** Proxies: may hold passwords. */
  readonly networkVariables: Readonly<Record<string, string>>;
  /** PEM, where the site has certificate authorities of its own. */
  readonly authorities?: string | undefined;
  /** What is in the container under another name than on this machine: for messages. */
  readonly names: Map<string, string>;
}

/**
 * The environment comes by stdin: arguments, and those of env(1), are public on a node. What pip has downloaded is in
 * directories below TMPDIR, which it removes when it has resolved: `keep` gets a link of each file before that. A pip that does
 * otherwise keeps nothing, and what is locked is downloaded once more.
 */
const START = `
import json, os, runpy, shutil, sys
work = json.load(sys.stdin)
os.environ.update(work['env'])
os.umask(0o022)
keep = work.get('keep')
remove = shutil.rmtree
def keep_and_remove(path, *args, **options):
    try:
        for entry in os.scandir(path):
            if entry.is_file(follow_symlinks=False) and entry.name.endswith(('.whl', '.zip', '.tar.gz', '.tar.bz2', '.tgz')):
                os.link(entry.path, os.path.join(keep, entry.name))
    except OSError:
        pass # it costs a download
    return remove(path, *args, **options)
if keep:
    shutil.rmtree = keep_and_remove
sys.argv = ['pip', *work['args']]
runpy.run_module('pip', run_name='__main__', alter_sys=True)
`;

/** In the scratch. */
export const DOWNLOADED = 'downloaded';

/** An empty scratch with a home in it. */
export async function writePipScratch(scratch: PipScratch, netrc: string): Promise<void> {
  await removeTree(scratch.onDisk);
  for (const name of ['home', 'tmp', 'wheels', 'local', 'sources', 'built', DOWNLOADED])
    await makeDir(path.join(scratch.onDisk, name));
  if (netrc !== '') await writeNewFile(path.join(scratch.onDisk, 'home/.netrc'), netrc, 0o600);
  if (scratch.authorities !== undefined)
    await writeNewFile(path.join(scratch.onDisk, 'authorities.pem'), scratch.authorities);
}

/**
 * @param args after `pip`
 * @param doing for the message: `resolve the pip section`
 * @throws AppError PIP_FAILED with what pip said
 */
export async function runPip(
  scratch: PipScratch,
  python: PythonLayout,
  args: readonly string[],
  doing: {
    readonly what: string;
    readonly at: string;
    readonly epochSeconds: number;
    /** Whether it may write to the prefix. */
    readonly installs?: boolean;
    /** Whether what it downloads stays in the scratch's `downloaded`. */
    readonly keepsDownloads?: boolean;
  },
): Promise<void> {
  const { inside, prefixInside } = scratch;
  const bundle = `${inside}/authorities.pem`;
  const env = {
    ...scratch.networkVariables,
    ...(scratch.authorities === undefined
      ? {}
      : { REQUESTS_CA_BUNDLE: bundle, SSL_CERT_FILE: bundle, CURL_CA_BUNDLE: bundle, GIT_SSL_CAINFO: bundle }),
  };
  const log = path.join(scratch.onDisk, 'pip.log');
  await removeTree(log);
  const runInside = doing.installs ? scratch.runInside : scratch.buildInside;
  const result = await runInside({
    program: `${prefixInside}/${python.interpreter}`,
    args: ['-I', '-B', '-c', START],
    env: {
      PATH: `${prefixInside}/bin:/usr/bin:/bin`,
      HOME: `${inside}/home`,
      TMPDIR: `${inside}/tmp`,
      LC_ALL: 'C.UTF-8',
      CONDA_PREFIX: prefixInside,
      // With this file pip reads no other: neither a user's nor the node's (pip documentation, "Configuration").
      PIP_CONFIG_FILE: '/dev/null',
      PYTHONNOUSERSITE: '1',
      PYTHONDONTWRITEBYTECODE: '1',
      PYTHONHASHSEED: '0',
      GIT_TERMINAL_PROMPT: '0',
      GIT_CONFIG_NOSYSTEM: '1',
      // reproducible-builds.org: the time that tools write into what they build.
      SOURCE_DATE_EPOCH: String(doing.epochSeconds),
    },
    input: JSON.stringify({
      env,
      ...(doing.keepsDownloads ? { keep: `${inside}/${DOWNLOADED}` } : {}),
      args: [
        ...['--isolated', '--no-input', '--disable-pip-version-check', '--no-cache-dir', '--quiet', '--retries', '2'],
        // Why an index gave nothing is in the log only, however loud pip is told to be.
        ...['--log', `${inside}/pip.log`],
        ...args,
      ],
    }),
    // Its own ways to fail; any other exit is the container's.
    okExitCodes: [0, 1, 2],
  });
  if (result.exitCode === 0) return;
  const logged = (await lstatIfThere(log)) ? await readText(log) : '';
  const said = [...listUnreachable(logged), ...listBuildOutput(logged), ...new Set(result.stderr.split('\n'))];
  throw new AppError(EXIT.buildFailed, describePipFailure(doing, said, scratch.names));
}

/** `Could not fetch URL https://...: 401 Client Error: ...`, each once. */
function listUnreachable(log: string): string[] {
  const lines = log.matchAll(/Could not fetch URL .*?(?= - skipping|\n|$)/g);
  return [...new Set([...lines].map(([line]) => line))].slice(0, 5);
}

/** What the build of an sdist said last: pip writes `See above for output`, and has it in the log only. */
function listBuildOutput(log: string): string[] {
  const lines = log.split('\n').map((line) => line.replace(/^\d{4}-\d\d-\d\dT[\d:,]+ /, ''));
  const end = lines.findIndex((line) => /^\s*ERROR: .* exited with /.test(line));
  return end < 0 ? [] : lines.slice(Math.max(0, end - 15), end);
}

/** pip's own words, with the places of this machine. */
function describePipFailure(
  doing: { readonly what: string; readonly at: string },
  lines: readonly string[],
  names: ReadonlyMap<string, string>,
): Problem {
  let said = redactUrls(
    lines
      .filter((line) => line.trim() !== '' && !/^\[?notice\]?|^DEPRECATION|new release of pip/.test(line))
      .slice(-30)
      .join('\n'),
  );
  for (const [inside, here] of names) said = said.replaceAll(inside, here);
  const hint = /\b40[13]\b|Credentials/.test(said)
    ? 'give this account a "machine <host> login ... password ..." in ~/.netrc'
    : /ResolutionImpossible|conflicting dependencies/.test(said)
      ? 'loosen one of these requirements, or move packages of them to the conda part of environment.yml'
      : /certificate/i.test(said)
        ? 'where the site has a certificate authority of its own: export SSL_CERT_FILE=/path/to/authorities.pem'
        : 'correct the pip section of environment.yml, or the index that it names, and run the command again';
  return { code: 'PIP_FAILED', at: doing.at, message: `pip could not ${doing.what}:\n${said}`, hint };
}

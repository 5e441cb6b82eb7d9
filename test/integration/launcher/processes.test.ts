// What a program is to its caller, the same three ways: in a container of its own, in a session, and from inside: bytes,
// sizes, descriptors, pipes, signals, limits, terminals.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeRelease, readProbe, start, type Outcome, type Start, type TestRelease } from './test-release.ts';

const isRoot = process.getuid?.() === 0;
const asUser = isRoot ? { uid: 65534, gid: 65534 } : {};
let release: TestRelease;
let environment: Record<string, string>;
beforeAll(async () => {
  release = await makeRelease({ sessions: { policy: 'join-or-start', idleSeconds: 20 } });
  environment = { PATH: `${release.farm}:/usr/bin:/bin`, SHLVL: '1', HOME: release.dir };
  expect(start(release, { program: `${release.farm}/python3`, args: ['-e', '1'], environment }).status).toBe(0);
});
afterAll(() => {
  fs.rmSync(release.dir, { recursive: true });
});

const ways = ['a container of its own', 'a session', 'inside'] as const;
type Way = (typeof ways)[number];
const inWay = (way: Way): Record<string, string> =>
  way === 'a session' ? environment : { ...environment, CONDENSE_SESSION: 'off' };

/** The program of the farm; from inside, by a shell that is in the container and becomes it. */
function run(way: Way, name: string, args: readonly string[], more: Partial<Start> = {}): Outcome {
  const farm = `${release.farm}/${name}`;
  const nested = { program: release.launcher, args: ['/bin/bash', '-c', 'exec "$@"', 'x', farm, ...args] };
  return start(release, {
    ...(way === 'inside' ? nested : { program: farm, args }),
    environment: inWay(way),
    ...more,
  });
}
const shell = (way: Way, script: string): Outcome =>
  way === 'inside'
    ? start(release, { program: release.launcher, args: ['/bin/bash', '-c', script], environment: inWay(way) })
    : start(release, { program: '/bin/bash', args: ['-c', script], environment: inWay(way) });

describe.each(ways)('in %s', (way) => {
  test.each([
    ['bytes that are no UTF-8', ['\xff\xfe', '\x80', 'a\xc3']],
    ['newlines, blanks and quotes', ['a\nb\n', ' ', `it's "$HOME" \\ \`id\``]],
    ['empty arguments', ['', '', 'x', '']],
    ['one argument as long as the kernel takes', ['x'.repeat(131_071)]],
    [
      '2 MB of arguments, less than what the kernel keeps for itself',
      Array.from({ length: 14 }, () => 'é\n'.repeat(32_000)),
    ],
  ])('%s arrive as they are', (_, args) => {
    expect(readProbe(run(way, 'probe', [release.probe, ...args])).argv.slice(2)).toEqual(args);
  });

  test('descriptors above 2 are there: of a redirection and of a process substitution', () => {
    const script = `python3 -e 'open(my $f, "<&=", 7); print <$f>; print \`cat $ARGV[0]\`' <(echo substituted) 7<<<seven`;
    expect(shell(way, script)).toMatchObject({ status: 0, stdout: 'seven\nsubstituted\n', stderr: '' });
  });

  test("make's jobserver is there for a recipe that runs a command of the farm", () => {
    const makefile = path.join(release.dir, 'Makefile');
    // Old make hands over two descriptors, new make a fifo: whichever it names must open, and hold the token of -j2.
    const look =
      '$$ENV{MAKEFLAGS} =~ /--jobserver-auth=(?:fifo:(\\S+)|(\\d+),)/ or die "none"; my $$f; (defined $$1 ? open($$f, "<", $$1) : open($$f, "<&=$$2")) or die "closed"; print -p $$f ? "open\\n" : "no pipe\\n"';
    fs.writeFileSync(makefile, `all: a b\na b:\n\t+@python3 -e '${look}'\n`);
    expect(shell(way, `make -s -j2 -f ${makefile}`)).toMatchObject({ status: 0, stdout: 'open\nopen\n', stderr: '' });
  });

  test('standard input is the pipe of the caller, to its end', () => {
    const script = `head -c 20000000 /dev/zero | python3 -e 'my ($n, $b); $n += length $b while read STDIN, $b, 65536; print $n'`;
    expect(shell(way, script).stdout).toBe('20000000');
  });

  test('a pipe that nobody reads any more ends it by SIGPIPE: status 141', () => {
    const script = `python3 -e 'print "y\\n" while 1' | head -1; echo "\${PIPESTATUS[0]}"`;
    expect(shell(way, script)).toMatchObject({ stdout: 'y\n141\n', stderr: '' });
  });

  test('the soft limit of open files is that of the caller', () => {
    expect(run(way, 'probe', [release.probe], { before: 'ulimit -Sn 333' })).toMatchObject({
      stdout: expect.stringContaining(Buffer.from('333').toString('hex')) as unknown,
    });
  });

  test('exit status and death by a signal are the own ones', () => {
    expect(run(way, 'python3', ['-e', 'exit 42'])).toMatchObject({ status: 42, stderr: '' });
    expect(run(way, 'python3', ['-e', 'kill KILL => $$; sleep 9'])).toMatchObject({ signal: 'SIGKILL', stderr: '' });
  });

  test('a relative link, and a link to a link, with another name even, is the command of the name that was called', () => {
    const bin = path.join(release.dir, 'links');
    fs.rmSync(bin, { recursive: true, force: true });
    fs.mkdirSync(bin);
    fs.symlinkSync(`${release.farm}/cat`, path.join(bin, 'second'));
    fs.symlinkSync('second', path.join(bin, 'python3'));
    expect(
      shell(way, `cd ${release.dir}; ./links/python3 -e 'print 7'; cd links; ../links/python3 -e 'print 8'`),
    ).toMatchObject({
      stdout: '78',
      stderr: '',
    });
  });

  test('a name that the caller gives with exec -a is lost, as for every script: the kernel names it by its path', () => {
    const { argv } = readProbe(shell(way, `exec -a other ${release.farm}/probe ${release.probe}`));
    expect(argv[0]).toBe(`${release.farm}/probe`);
  });
});

describe.each(['a session', 'inside'] as const)('in %s, where no runtime stands between', (way) => {
  test('the mask of blocked signals is that of the caller', () => {
    const code = `use POSIX; sigprocmask(SIG_BLOCK, POSIX::SigSet->new(SIGUSR1)); exec "${release.farm}/probe", "${release.probe}"`;
    const { status } = readProbe(shell(way, `exec /usr/bin/perl -e '${code}'`));
    expect(status[1]).toBe('0000000000000200');
  });
  test('the process is the one that the caller started', () => {
    const script = `exec 3>&1; (echo $BASHPID >&3; exec python3 -e 'print "$$ "')`;
    const [started, is] = shell(way, script).stdout.trim().split(/\s+/);
    expect(is).toBe(started);
  });
});

/** A terminal (script(1)) with a shell with job control in it, to which the text is typed as soon as the last one was answered. */
async function onTerminal(way: Way, dialogue: readonly (readonly [type: string, until: RegExp])[]): Promise<string> {
  const inner = 'bash --norc --noprofile -i';
  const outer = way === 'inside' ? `${release.launcher} ${inner}` : inner;
  const child = spawn('/usr/bin/script', ['-qfec', outer, '/dev/null'], {
    cwd: release.dir,
    env: { ...inWay(way), PS1: '> ', TERM: 'dumb', SHELL: '/bin/bash' },
    ...asUser,
  });
  let said = '';
  let from = 0;
  child.stdout.on('data', (data: Buffer) => (said += data.toString('latin1')));
  const closed = new Promise((resolve) => child.on('close', resolve));
  for (const [type, until] of dialogue) {
    child.stdin.write(type);
    for (let tries = 0; !until.test(said.slice(from)); tries += 1) {
      if (tries > 600) throw new Error(`no ${String(until)} after ${JSON.stringify(type)} in: ${said}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    from = said.length;
  }
  child.stdin.end('exit\n\u0004');
  await closed;
  return said;
}

describe.each(ways)('on a terminal, in %s', (way) => {
  const sleeper = `python3 -e '$|=1; print "u", "p\\n"; sleep 1 while 1'\n`;
  test('^C ends it, ^Z stops it and fg lets it go on', async () => {
    await onTerminal(way, [
      [sleeper, /up/],
      ['\u0003', /\$ $/],
      ['echo status=$?\n', /status=130/],
      [sleeper, /up/],
      ['\u001a', /Stopped/],
      ['fg\n', /python3/],
      ['\u0003', /\$ $/],
      ['echo again=$?\n', /again=130/],
    ]);
  });
  test('it is told of another window size, and sees the terminal', async () => {
    const code = `$|=1; $SIG{WINCH} = sub { print "win", "ch ", -t STDIN ? "tty" : "none", "\\n"; exit }; print "u", "p\\n"; sleep 1 while 1`;
    await onTerminal(way, [
      [`tty\n`, /\/dev\/pts\/\d/],
      [`(read -t 2 <> <(:); stty rows 51 </dev/tty) & python3 -e '${code}'\n`, /winch tty/],
    ]);
  });
});

describe('the shell without a command', () => {
  test('is told by its prompt, after the start-up file of the user, with the environment as it was', async () => {
    fs.writeFileSync(path.join(release.dir, '.bashrc'), `PS1='mine> '\nseen=rc\n`);
    const said = await onTerminal('a session', [
      ['n=$(ls /proc/$$/fd | wc -l); export n\n', /\$ $/],
      [`${release.launcher}\n`, /\(test-1\.0\) mine> $/],
      ['echo $seen $0 more=$(($(ls /proc/$$/fd | wc -l) - n))\n', /rc \/bin\/bash more=0/],
      ['type python3\n', /is \/opt\/conda\/test-1\.0\/bin\/python3/],
      ['exit\n', /\$ $/],
    ]);
    fs.rmSync(path.join(release.dir, '.bashrc'));
    expect(said).not.toContain('condense:');
  });
  test('is told by the prompt of fish, too, with the function that the user has for it', async () => {
    const config = path.join(release.dir, '.config/fish');
    fs.mkdirSync(config, { recursive: true });
    fs.writeFileSync(path.join(config, 'config.fish'), "function fish_prompt; echo -n 'mine> '; end\n");
    if (isRoot) fs.chownSync(config, 65534, 65534);
    await onTerminal('a session', [
      [`SHELL=/usr/bin/fish ${release.launcher}\n`, /\(test-1\.0\) mine> /],
      ['exit\n', /\$ $/],
    ]);
  });
  test('of another kind says so once', async () => {
    const said = await onTerminal('a session', [
      [`SHELL=/bin/sh ${release.launcher}\n`, /this shell is inside test-1\.0, exit leaves it/],
      ['exit\n', /\$ $/],
    ]);
    expect(said.match(/this shell is inside/g)).toHaveLength(1);
  });
});

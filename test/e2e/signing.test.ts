// Signed manifests, by the real ssh-keygen: what is not signed by somebody who is allowed to is not shown to users.
import { appendFile, copyFile, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeHelloChannel } from './hello-channel.ts';
import { TestSite } from './test-site.ts';

let site: TestSite;
let id: string;
const file = (name: string): string => path.join(site.dir, name);
const release = (name: string): string => path.join(site.prefix, 'apps/condense/releases/a-1', id, name);

async function makeKey(name: string): Promise<string> {
  await execa('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', name, '-f', file(name)]);
  return (await readFile(file(`${name}.pub`), 'utf8')).trim();
}
const useSigning = (text: string): Promise<void> =>
  site.writeConfig(`  a: { version: '1', stable: '1' }\n`, text === '' ? '' : `signing: { ${text} }\n`);
const REQUIRED = 'key: ./good, allowed_signers: ./allowed, required: true';

beforeAll(async () => {
  site = await TestSite.make();
  const channel = await writeHelloChannel(site.dir);
  await site.writeSpec('a', [channel], ['hello=1.0']);
  await writeFile(file('allowed'), `builds@example.org namespaces="condense-manifest" ${await makeKey('good')}\n`);
  await makeKey('other');
  await useSigning('');
  id = (JSON.parse((await site.condenseOk('--json', 'build', 'a')).split('\n').at(-1) ?? '') as { release: string })
    .release;
});
afterAll(() => site.remove());

describe('signing', () => {
  it('shows no unsigned release where a signature is required; sign gives it one', async () => {
    await useSigning(REQUIRED);

    const refused = await site.condense('publish', `a-1/${id}`);
    expect(refused.exitCode).toBe(7);
    expect(refused.stderr).toContain('SIGNATURE_MISSING');
    expect(refused.stderr).toContain(`hint   condense sign a-1/${id}`);
    await site.condenseOk('sign', `a-1/${id}`);

    expect(await site.condenseOk('publish', `a-1/${id}`)).toContain('generation 1');
    expect(await site.condenseOk('verify')).toContain('is whole');
  });

  it('makes signatures that anybody can check with ssh-keygen alone', async () => {
    const { stdout } = await execa(
      'ssh-keygen',
      [
        '-Y',
        'verify',
        '-f',
        file('allowed'),
        '-I',
        'builds@example.org',
        '-n',
        'condense-manifest',
        '-s',
        release('manifest.json.sig'),
      ],
      { input: await readFile(release('manifest.json')) },
    );

    expect(stdout).toContain('Good "condense-manifest" signature for builds@example.org');
  });

  it.each([
    ['a manifest that was changed', () => appendFile(release('manifest.json'), ' '), 'does not hold for the manifest'],
    ['a signature by somebody else', () => signAs('other', 'condense-manifest'), 'is of none of the allowed signers'],
    ['a signature that was made for something else', () => signAs('good', 'git'), 'does not hold for the manifest'],
    [
      'a signature that is none',
      () => writeFile(release('manifest.json.sig'), 'x\n'),
      'is of none of the allowed signers',
    ],
  ])('refuses %s, required or not', async (_, damage, says) => {
    for (const name of ['manifest.json', 'manifest.json.sig']) await copyFile(release(name), file(name));
    await damage();
    for (const required of ['true', 'false']) {
      await useSigning(`allowed_signers: ./allowed, required: ${required}`);
      const ran = await site.condense('verify', '--quick', `a-1/${id}`);
      expect(ran.exitCode).toBe(7);
      expect(ran.stderr).toContain('SIGNATURE_INVALID');
      expect(ran.stderr).toContain(says);
    }
    for (const name of ['manifest.json', 'manifest.json.sig']) {
      await rm(release(name));
      await copyFile(file(name), release(name));
    }
  });

  it('signs what it builds, and rolls back to nothing that is not signed', async () => {
    await useSigning(REQUIRED);
    await site.condenseOk('install', '--rebuild', 'a');
    const built = await site.liveRelease('a-1');
    expect(await readFile(path.join(path.dirname(release('')), built ?? '', 'manifest.json.sig'), 'utf8')).toContain(
      'BEGIN SSH SIGNATURE',
    );
    await rm(release('manifest.json.sig'));

    const ran = await site.condense('rollback');

    expect(ran.stderr).toContain('SIGNATURE_MISSING');
    expect(ran.exitCode).toBe(7);
    expect(await site.liveRelease('a-1')).toBe(built);
  });

  it('publishes nothing and says why when the key cannot sign', async () => {
    await writeFile(file('good'), 'no key\n');

    const ran = await site.condense('install', '--rebuild', 'a');

    expect(ran.exitCode).toBe(5);
    expect(ran.stderr).toContain('ssh-keygen');
    expect(
      (await execa('find', [path.dirname(release('')), '-mindepth', '1', '-maxdepth', '1'])).stdout.split('\n'),
    ).toHaveLength(2);
  });

  async function signAs(key: string, namespace: string): Promise<void> {
    await rm(release('manifest.json.sig'));
    await execa('ssh-keygen', ['-Y', 'sign', '-q', '-f', file(key), '-n', namespace, release('manifest.json')]);
  }
});
